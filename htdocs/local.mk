# htdocs: what people see of the demonstration. The modules' own pages are made in C (modules/core/page.c).
EXTRA_DIST += htdocs/demo/index.de.html htdocs/demo/index.en.html htdocs/demo/index.fr.html htdocs/demo/index.nl.html \
	htdocs/demo/icon.svg htdocs/demo/portal.css htdocs/demo/style.css
