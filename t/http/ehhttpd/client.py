# SPDX-License-Identifier: Apache-2.0
"""A browser without a screen: cookies by host with prefixes, Secure, Path and SameSite, Sec-Fetch-* on every request,
redirects, forms and links. Stricter than `requests` where it matters here, and it shows every header as it came."""
import html.parser
import http.client
import json as jsonlib
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urljoin, urlsplit

MAX_REDIRECTS = 20


class _Page(html.parser.HTMLParser):
    """Forms, links and the visible text of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.forms, self.links, self.words = [], [], []
        self._link = self._button = None
        self._skip = 0
        self.lang = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "html":
            self.lang = a.get("lang") or ""
        if tag in ("script", "style"):
            self._skip += 1
        elif tag == "form":
            self.forms.append({"action": a.get("action") or "", "method": (a.get("method") or "get").lower(),
                               "id": a.get("id"), "fields": {}, "buttons": []})
        elif tag == "a" and "href" in a:
            self._link = {"href": a["href"], "text": ""}
            self.links.append(self._link)
        elif self.forms and tag == "input":
            kind = (a.get("type") or "text").lower()
            if kind in ("submit", "image", "button"):
                self.forms[-1]["buttons"].append({"name": a.get("name"), "value": a.get("value") or "",
                                                  "text": a.get("value") or ""})
            elif a.get("name") and (kind not in ("checkbox", "radio") or "checked" in a):
                self.forms[-1]["fields"][a["name"]] = a.get("value") or ""
        elif self.forms and tag == "button":
            self._button = {"name": a.get("name"), "value": a.get("value") or "", "text": ""}
            self.forms[-1]["buttons"].append(self._button)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._skip = max(0, self._skip - 1)
        elif tag == "a":
            self._link = None
        elif tag == "button":
            self._button = None

    def handle_data(self, data):
        if self._skip:
            return
        self.words.append(data)
        for open_ in (self._link, self._button):
            if open_ is not None:
                open_["text"] += data


class Response:
    def __init__(self, url, method, status, headers, body):
        self.url, self.method, self.status, self.headers, self.body = url, method, status, headers, body
        self.history = []
        self._page = None

    def get(self, name, default=None):
        values = self.get_all(name)
        return values[0] if values else default

    def get_all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return jsonlib.loads(self.body)

    @property
    def page(self):
        if self._page is None:
            self._page = _Page(self.text)
        return self._page

    @property
    def words(self):
        """The visible text, blanks folded."""
        return " ".join(" ".join(self.page.words).split())

    def __repr__(self):
        return f"<{self.method} {self.url} {self.status}>"


def _site(url):
    """Scheme and host: loopback names have no registrable domain above them, and ports do not make a site."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname


def _origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Browser:
    """
    One person's browser. `ca`: PEM file to trust. `languages`: Accept-Language.
    get/post are what the address bar or a form would do; fetch is what a script of `page` would do.
    """

    def __init__(self, ca=None, languages="fr,nl;q=0.8,en;q=0.5", timeout=30):
        self.tls = ssl.create_default_context(cafile=str(ca)) if ca else ssl.create_default_context()
        self.languages, self.timeout = languages, timeout
        self.cookies = {}  # (host, name, path) -> {"value", "secure", "samesite", "expires", "httponly"}
        self.sent = []     # (method, url, headers) of everything asked
        self.page = None   # the last document
        self.set_cookies = []  # (url, Set-Cookie line) as received

    # -- cookies --------------------------------------------------------------------------------------------------------

    def _take_cookie(self, url, line):
        self.set_cookies.append((url, line))
        parts = urlsplit(url)
        first, *attrs = [part.strip() for part in line.split(";")]
        name, _, value = first.partition("=")
        known = {}
        for attr in attrs:
            key, _, val = attr.partition("=")
            known[key.strip().lower()] = val.strip()
        secure = "secure" in known
        path = known.get("path") or "/"
        if secure and parts.scheme != "https":
            return
        if name.startswith("__Host-") and (not secure or path != "/" or "domain" in known):
            return
        if name.startswith("__Secure-") and not secure:
            return
        expires = None
        if "max-age" in known:
            expires = time.time() + int(known["max-age"])
        elif "expires" in known:
            expires = parsedate_to_datetime(known["expires"]).timestamp()
        key = (parts.hostname, name, path)
        if expires is not None and expires <= time.time():
            self.cookies.pop(key, None)
            return
        self.cookies[key] = {"value": value, "secure": secure, "httponly": "httponly" in known, "expires": expires,
                             "samesite": known.get("samesite", "lax").lower()}

    def _cookie_header(self, url, method, cross_site, navigation):
        parts = urlsplit(url)
        out = []
        for (host, name, path), c in self.cookies.items():
            if host != parts.hostname or not (parts.path or "/").startswith(path):
                continue
            if c["expires"] is not None and c["expires"] <= time.time():
                continue
            if c["secure"] and parts.scheme != "https":
                continue
            if cross_site and c["samesite"] == "strict":
                continue
            if cross_site and c["samesite"] == "lax" and not (navigation and method in ("GET", "HEAD")):
                continue
            out.append((len(path), f"{name}={c['value']}"))
        return "; ".join(text for _, text in sorted(out, key=lambda item: -item[0]))

    def cookie(self, name, host=None):
        """Value of the cookie of that name, None when there is none."""
        for (cookie_host, cookie_name, _), c in self.cookies.items():
            if cookie_name == name and (host is None or host == cookie_host):
                return c["value"]
        return None

    # -- requests ---------------------------------------------------------------------------------------------------------

    def raw(self, method, url, headers=(), body=None):
        """One exchange, exactly these headers (plus Host); no cookies, nothing kept."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            conn = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.timeout, context=self.tls)
        else:
            conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            conn.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                conn.putheader(name, value)
            if body is not None and not any(n.lower() == "content-length" for n, _ in headers):
                conn.putheader("Content-Length", str(len(body)))
            conn.endheaders(body)
            answer = conn.getresponse()
            return Response(url, method, answer.status, answer.getheaders(), answer.read())
        finally:
            conn.close()

    def _ask(self, method, url, initiator, headers, body, mode, dest, user):
        if initiator is None:
            site = "none"
        elif _origin(initiator) == _origin(url):
            site = "same-origin"
        else:
            site = "same-site" if _site(initiator) == _site(url) else "cross-site"
        head = [("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) ehhttpd/1"), ("Accept-Language", self.languages),
                ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)]
        given = {name.lower() for name, _ in headers}
        if "accept" not in given:
            head.append(("Accept", "text/html,application/xhtml+xml,*/*;q=0.8" if mode == "navigate" else "*/*"))
        if mode == "navigate":
            head.append(("Upgrade-Insecure-Requests", "1"))
            if user:
                head.append(("Sec-Fetch-User", "?1"))
        if method not in ("GET", "HEAD") and initiator is not None:
            head.append(("Origin", _origin(initiator)))
        cookie = self._cookie_header(url, method, site == "cross-site", mode == "navigate")
        if cookie:
            head.append(("Cookie", cookie))
        head = [(n, v) for n, v in head if n.lower() not in given] + list(headers)
        self.sent.append((method, url, head))
        res = self.raw(method, url, head, body)
        for line in res.get_all("Set-Cookie"):
            self._take_cookie(url, line)
        return res

    def _navigate(self, method, url, initiator, headers=(), body=None, follow=True):
        history = []
        for _ in range(MAX_REDIRECTS):
            res = self._ask(method, url, initiator, headers, body, "navigate", "document", user=True)
            res.history = history
            location = res.get("Location")
            if not follow or location is None or res.status not in (301, 302, 303, 307, 308):
                if res.status != 204:
                    self.page = res
                return res
            history = history + [res]
            if res.status in (301, 302, 303) and method != "HEAD":
                method, body = "GET", None
                headers = [(n, v) for n, v in headers if n.lower() not in ("content-type", "content-length")]
            # the chain counts as cross-site from the first foreign hop on: its initiator stays the least related one
            if initiator is not None and _site(initiator) == _site(url):
                initiator = url
            url = urljoin(url, location)
        raise RuntimeError(f"more than {MAX_REDIRECTS} redirects, last {url}")

    def get(self, url, headers=(), follow=True):
        """Typed into the address bar."""
        return self._navigate("GET", url, None, list(headers), follow=follow)

    def follow(self, href, page=None, follow=True):
        """A click on a link of the page."""
        page = page or self.page
        return self._navigate("GET", urljoin(page.url, href), page.url, follow=follow)

    def click(self, text, page=None, follow=True):
        page = page or self.page
        found = [link for link in page.page.links if text in " ".join(link["text"].split())]
        assert found, f"no link {text!r} on {page.url}: {[link['text'] for link in page.page.links]}"
        return self.follow(found[0]["href"], page, follow)

    def submit(self, button=None, fields=None, form=None, page=None, follow=True):
        """Submits a form of the page: the one whose button says `button`, the one with id `form`, or the first."""
        page = page or self.page
        chosen, extra = None, {}
        for candidate in page.page.forms:
            if form is not None and candidate["id"] != form:
                continue
            if button is None:
                chosen = candidate
                break
            hit = [b for b in candidate["buttons"] if button in " ".join(b["text"].split())]
            if hit:
                chosen = candidate
                if hit[0]["name"]:
                    extra[hit[0]["name"]] = hit[0]["value"]
                break
        assert chosen is not None, f"no such form on {page.url}: {page.page.forms}"
        data = urlencode({**chosen["fields"], **extra, **(fields or {})})
        url = urljoin(page.url, chosen["action"] or page.url)
        if chosen["method"] == "get":
            return self._navigate("GET", url.split("?")[0] + "?" + data, page.url, follow=follow)
        return self._navigate("POST", url, page.url, [("Content-Type", "application/x-www-form-urlencoded")],
                              data.encode(), follow)

    def post(self, url, data=None, initiator=None, headers=(), follow=True):
        """A form post to url from a page of `initiator` (default: a page of the same origin)."""
        body = urlencode(data or {}).encode()
        return self._navigate("POST", url, initiator or url,
                              [("Content-Type", "application/x-www-form-urlencoded"), *headers], body, follow)

    def fetch(self, url, method="GET", headers=(), body=None, page=None):
        """A script's fetch(): no redirect is followed."""
        initiator = page or (self.page.url if self.page else url)
        return self._ask(method, urljoin(initiator, url), initiator, list(headers), body, "cors", "empty", user=False)
