"""Message bodies: CPIM, IMDN, multipart."""
