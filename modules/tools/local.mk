# modules/tools
