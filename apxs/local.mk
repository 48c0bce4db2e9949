# apxs
