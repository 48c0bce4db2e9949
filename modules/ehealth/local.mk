# modules/ehealth
