# modules/io
