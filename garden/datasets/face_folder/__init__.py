"""A user's photographs of faces: landmarks, turned to other sides, in folders of identities."""
