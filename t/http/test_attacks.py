# SPDX-License-Identifier: Apache-2.0
"""What an attacker with a browser, a script or a neighbouring domain tries against a protected portal."""
import socket

import pytest

from oidcworld import OidcWorld, practitioner, protect

TRUE = {"X-Remote-User": "899700001011", "X-Roles": "physician,professional"}
NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]

CONF = (
    protect(more='Header set Cache-Control "public, max-age=60"\n'
                 "RewriteEngine On\n"
                 "RewriteRule ^.*/portal/old$ /portal/new [L]\n"
                 "RewriteRule ^.*/portal/leave$ /open/left [L]\n")
    + "Alias /files ${DIR}/htdocs\n"
    + protect("/files", more="DirectoryIndex none.html a.txt\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\n"
                             "ErrorDocument 404 /files/a.txt\n")
)


@pytest.fixture(scope="module")
def world(ca):
    with OidcWorld(CONF, modules=("include",)) as w:
        (w.httpd.dir / "htdocs" / "a.txt").write_text("static")
        (w.httpd.dir / "htdocs" / "page.shtml").write_text('<!--#include virtual="/portal/part" -->')
        yield w


@pytest.fixture(scope="module")
def ticket(world):
    return world.log_in().cookie("eh-s-psc")


def ask(world, path, headers=(), method="GET"):
    """(answer, headers the portal saw or None)"""
    world.portal.clear()
    answer = world.browser().raw(method, world.url + path, headers)
    requests = world.portal.requests
    return answer, dict(map(tuple, requests[-1]["headers"])) if requests else None


def exchange(world, text):
    """Status line of the answer to exactly these lines."""
    with socket.create_connection(("127.0.0.1", world.httpd.port), timeout=10) as s:
        s.sendall(text.replace("\n", "\r\n").encode("latin-1"))
        return s.makefile("rb").readline().decode()


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connection", ["close;X-Roles", "close X-Roles", "a\tX_Roles;b", ";X-Roles", "close ; X-Roles , b",
                                        '"a" X-Roles', "close, ,;X-Roles;"])
def test_mod_proxy_splits_connection_at_more_than_commas(world, ticket, connection):
    """ap_get_token ends at blanks and semicolons too: a role header taken away is an application's default role."""
    answer, seen = ask(world, "/portal/whoami", [("Connection", connection), ("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE


# -- cookies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tossed", ["x=1,eh-s-psc={t}", "x=1, eh-s-psc={t}", "x=1 ,\teh-s-psc={t}", "x=\"1,eh-s-psc={t}\""])
def test_a_neighbour_domain_cannot_log_a_person_in(world, ticket, tossed):
    """Any sibling domain may set "x=1,__Host-eh-s-…=<its own ticket>": a comma is part of a cookie's value (RFC 6265bis
    §5.6), and what stands behind it never had to keep the promise of the name."""
    answer, seen = ask(world, "/portal/whoami", [("Cookie", tossed.format(t=ticket)), *NAVIGATE])
    assert (answer.status, seen) == (302, None)


def test_a_neighbour_domain_cannot_log_a_person_out(world, ticket):
    other = "A" * 43
    answer, seen = ask(world, "/portal/whoami", [("Cookie", f"eh-s-psc={ticket}; x=1, eh-s-psc={other}")])
    assert answer.status == 200 and seen["X-Remote-User"] == TRUE["X-Remote-User"]
    assert ticket not in str(seen) and other not in str(seen)


# -- one section, several requests --------------------------------------------------------------------------------------


def test_redirected_inside_its_section_it_is_still_the_same_person(world, ticket):
    """httpd asks nobody again when the section is the same one: who was let in must be told to the page that is served, and
    the page must not be kept by anybody else."""
    answer, seen = ask(world, "/portal/old", [("X-Roles", "mallory"), ("Cookie", f"JSESSIONID=1; eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE
    assert seen["Cookie"] == "JSESSIONID=1"
    assert answer.get("Cache-Control") == "private, max-age=60"


def test_redirected_out_of_its_section_nobody_is_told(world, ticket):
    answer, seen = ask(world, "/portal/leave", [("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200 and not set(seen) & {*TRUE, "X-Display-Name", "Cookie"}


@pytest.mark.parametrize("path", ["/files/", "/files/none"])
def test_index_and_error_page_of_a_section_are_private(world, ticket, path):
    answer, _ = ask(world, path, [("Cookie", f"eh-s-psc={ticket}")])
    assert answer.text == "static"
    assert answer.get("Cache-Control") == "private, no-store"
    for cookie in ([], [("Cookie", "eh-s-psc=" + "A" * 43)]):
        answer, _ = ask(world, path, cookie)
        assert answer.status == 401 and "static" not in answer.text


def test_included_part_is_told_who_asks(world, ticket):
    answer, seen = ask(world, "/files/page.shtml", [("X-Roles", "mallory"), ("Cookie", f"eh-s-psc={ticket}")])
    assert answer.status == 200
    assert {name: seen.get(name) for name in TRUE} == TRUE
