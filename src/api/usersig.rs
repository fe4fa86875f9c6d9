//! `UserSig` (TLSSigAPIv2): made and verified.
