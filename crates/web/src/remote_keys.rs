//! Key sets that live elsewhere: the authorisation server's and the TPPs' (M-05).
