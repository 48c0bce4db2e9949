# modules/oidc
