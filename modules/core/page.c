/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/page.h"

#include <apr_strings.h>
#include <string.h>

#include "ehealth/codec.h"
#include "text.h"

/* Colours keep a contrast of at least 7:1 in both schemes. The section of the reader's language stands last in the
 * document and shows unless another one is the target of the language switch. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--fg:#14202b;--dim:#3c4a57;--line:#c3cbd3;--act:#0b4f8a}"
    "@media(prefers-color-scheme:dark){:root{--bg:#10161c;--card:#18212a;--fg:#eef2f5;--dim:#c2ccd6;--line:#42505d;"
    "--act:#9ccbf5}}"
    "*{box-sizing:border-box}"
    "body{margin:0;padding:1rem;background:var(--bg);color:var(--fg);font:1rem/1.6 system-ui,sans-serif}"
    "nav,main{max-width:42rem;margin:0 auto}"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem "
    "1rem;justify-content:flex-end;list-style:none;margin:0;padding:.5rem 0}"
    "main{background:var(--card);border:1px solid "
    "var(--line);border-radius:.5rem;padding:1.5rem;overflow-wrap:anywhere}"
    "h1{font-size:1.5rem;line-height:1.3;margin:0 0 1rem}h2{font-size:1.1rem;margin:1.5rem 0 .25rem}p{margin:.5rem 0}"
    "a{color:var(--act)}a:focus-visible,button:focus-visible{outline:3px solid var(--act);outline-offset:2px}"
    "nav a{display:inline-block;padding:.5rem .25rem}"
    ".acts{display:flex;flex-wrap:wrap;gap:1rem;align-items:center;margin-top:1.5rem}"
    ".btn,button{display:inline-block;font:inherit;background:var(--act);color:var(--card);border:0;border-radius:."
    "4rem;"
    "padding:.6rem 1.2rem;text-decoration:none;cursor:pointer}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1.5rem 0 0;padding-top:1rem;"
    "border-top:1px solid "
    "var(--line);color:var(--dim)}dt{font-weight:600}dd{margin:0;font-family:ui-monospace,monospace}"
    "section{display:none}section:target,section.own{display:block}section:target~.own{display:none}";

/* base64(SHA-256(style)): t/unit/test_page.c tells the new one when the style changes. */
#define STYLE_DIGEST "U9EJ6nlwISj7A6C524lieHhIcmMOH9f9poC7VtTe/Pw="

enum { WHY, REMEDY };
typedef const char *words_t[2][EH_LANG_COUNT];

#define EH_WORDS(name, en, fr, nl, de, do_en, do_fr, do_nl, do_de) \
    static const words_t words_##name = {{en, fr, nl, de}, {do_en, do_fr, do_nl, do_de}};
#include "page_words.def"
#undef EH_WORDS

typedef enum {
    L_REMEDY,
    L_CODE,
    L_REFERENCE,
    L_CONTACT,
    L_RETRY,
    L_LOGIN,
    L_HOME,
    L_LOGOUT,
    L_WAIT,
    L_DETAIL,
    L_COUNT
} label_e;
static const char *const labels[L_COUNT][EH_LANG_COUNT] = {
    {"What you can do", "Que faire", "Wat u kunt doen", "Was Sie tun können"},
    {"Code", "Code", "Code", "Code"},
    {"Reference", "Référence", "Referentie", "Referenz"},
    {"Contact", "Contact", "Contact", "Kontakt"},
    {"Try again", "Réessayer", "Opnieuw proberen", "Erneut versuchen"},
    {"Log in", "Se connecter", "Inloggen", "Anmelden"},
    {"Start page", "Page d’accueil", "Startpagina", "Startseite"},
    {"Log out", "Se déconnecter", "Uitloggen", "Abmelden"},
    {"You can try again in %d s.", "Vous pourrez réessayer dans %d s.", "U kunt het over %d s opnieuw proberen.",
     "Sie können es in %d s erneut versuchen."},
    {"Detail", "Détail", "Detail", "Detail"}};

static const char *const own_names[EH_LANG_COUNT] = {"English", "Français", "Nederlands", "Deutsch"};

const eh_page_words_t eh_words_logged_out = {
    {"You are logged out", "Vous êtes déconnecté", "U bent uitgelogd", "Sie sind abgemeldet"},
    {"Your session on this server has ended.", "Votre session sur ce serveur est terminée.",
     "Uw sessie op deze server is beëindigd.", "Ihre Sitzung auf diesem Server ist beendet."},
    {"On a shared computer, also close all browser windows and remove your card.",
     "Sur un poste partagé, fermez aussi toutes les fenêtres du navigateur et retirez votre carte.",
     "Sluit op een gedeelde computer ook alle browservensters en neem uw kaart uit de lezer.",
     "Schließen Sie an einem gemeinsam genutzten Rechner auch alle Browserfenster und entnehmen Sie Ihre Karte."},
    {NULL, NULL, NULL, NULL},
    {"Log in again", "Se reconnecter", "Opnieuw inloggen", "Erneut anmelden"}};

const eh_page_words_t eh_words_logged_out_here = {
    {"You are logged out here", "Vous êtes déconnecté d’ici", "U bent hier uitgelogd", "Sie sind hier abgemeldet"},
    {"Your session on this server has ended, but the log-in provider could not be told. It may still know you.",
     "Votre session sur ce serveur est terminée, mais le fournisseur d’identité n’a pas pu en être informé. Il vous "
     "reconnaît peut-être encore.",
     "Uw sessie op deze server is beëindigd, maar de identiteitsprovider kon niet worden verwittigd. Hij herkent u "
     "misschien nog.",
     "Ihre Sitzung auf diesem Server ist beendet, aber der Identitätsanbieter konnte nicht benachrichtigt werden. Er "
     "erkennt Sie möglicherweise noch."},
    {"Close all browser windows and remove your card, above all on a shared computer.",
     "Fermez toutes les fenêtres du navigateur et retirez votre carte, surtout sur un poste partagé.",
     "Sluit alle browservensters en neem uw kaart uit de lezer, zeker op een gedeelde computer.",
     "Schließen Sie alle Browserfenster und entnehmen Sie Ihre Karte, vor allem an einem gemeinsam genutzten Rechner."},
    {NULL, NULL, NULL, NULL},
    {"Log in again", "Se reconnecter", "Opnieuw inloggen", "Erneut anmelden"}};

const eh_page_words_t eh_words_logout_confirm = {
    {"Log out?", "Se déconnecter ?", "Uitloggen?", "Abmelden?"},
    {"Your session on this server ends, in all its windows. Save open work first.",
     "Votre session sur ce serveur prendra fin, dans toutes ses fenêtres. Enregistrez d’abord le travail en cours.",
     "Uw sessie op deze server wordt beëindigd, in alle vensters. Sla eerst openstaand werk op.",
     "Ihre Sitzung auf diesem Server wird in allen Fenstern beendet. Speichern Sie zuerst offene Arbeit."},
    {NULL, NULL, NULL, NULL},
    {"Log out", "Se déconnecter", "Uitloggen", "Abmelden"},
    {"Stay logged in", "Rester connecté", "Ingelogd blijven", "Angemeldet bleiben"}};

static const words_t *words_of(const eh_err_info_t *info)
{
    switch (info->code) {
    case EH_E_DB_UNKNOWN_OUTCOME: return &words_UNSURE;
    case EH_E_NOT_FOUND: return &words_ADDRESS;
    case EH_E_CROSS_SITE:
    case EH_E_LOGOUT_CSRF: return &words_CROSS_SITE;
    case EH_E_LOGIN_REQUIRED:
    case EH_E_SESSION_EXPIRED: return &words_LOGIN;
    case EH_E_LOGIN_STATE:
    case EH_E_LOGIN_EXPIRED:
    case EH_E_LOGIN_REUSED:
    case EH_E_LOGIN_RESPONSE: return &words_RESTART;
    case EH_E_LOGIN_CANCELLED:
    case EH_E_LOGIN_REFUSED: return &words_CANCELLED;
    case EH_E_TOKEN_ACR:
    case EH_E_DENIED_ACR: return &words_STRONGER;
    case EH_E_DENIED_MEMBER: return &words_MEMBER;
    case EH_E_DENIED_SUSPENDED: return &words_LICENCE;
    default: break;
    }
    /* By nature, so that a code added tomorrow has words, too. */
    if (info->http == 503 || info->http == 504 || info->http == 429) return &words_BUSY;
    if (info->code >= 5000 || info->code == EH_E_IDENTITY) return &words_DENIED;
    if (info->code >= 4000 && info->code < 4500) return &words_PROVIDER;
    return info->http >= 500 ? &words_FAULT : &words_REQUEST;
}

/* A URL for an attribute, escaped; NULL unless it is a local path or http(s). */
static const char *safe_url(apr_pool_t *p, const char *url)
{
    if (!url || !eh_utf8_valid(url, strlen(url))) return NULL;
    if (!(url[0] == '/' && eh_target_is_local(url)) && strncmp(url, "https://", 8) != 0 &&
        strncmp(url, "http://", 7) != 0) {
        return NULL;
    }
    return eh_html(p, url);
}

static const char *clean(apr_pool_t *p, const char *s) { return eh_html(p, eh_text_utf8(p, s, 1024)); }

static void add_link(eh_text_t *t, const char *klass, const char *url, const char *text)
{
    const char *href = safe_url(t->p, url);

    if (href) eh_text_fmt(t, "<a%s href=\"%s\">%s</a>", klass, href, text);
}

static int add_hidden(void *baton, const char *name, const char *value)
{
    eh_text_t *t = baton;

    eh_text_fmt(t, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", clean(t->p, name), clean(t->p, value));
    return 1;
}

static void add_form(eh_text_t *t, const eh_page_t *page, const char *button)
{
    const char *action = page->form_action && page->form_action[0] == '/' ? safe_url(t->p, page->form_action) : NULL;

    if (!action) return;
    eh_text_fmt(t, "<form method=\"post\" action=\"%s\">", action);
    if (page->form_fields) apr_table_do(add_hidden, t, page->form_fields, NULL);
    eh_text_fmt(t, "<button type=\"submit\">%s</button></form>", button);
}

static void add_term(eh_text_t *t, const char *term, const char *value, const char *attr)
{
    if (value && *value) eh_text_fmt(t, "<dt>%s</dt><dd%s>%s</dd>", term, attr, clean(t->p, value));
}

/* What stands under the text: code, detail, reference, contact. */
static void add_terms(eh_text_t *t, const eh_page_t *page, const eh_err_t *err, eh_lang_e lang)
{
    if (!err && !(page->correlation && *page->correlation) && !(page->contact && *page->contact)) return;
    eh_text_str(t, "<dl>");
    if (err) {
        add_term(t, labels[L_CODE][lang], eh_err_tag(t->p, eh_err_info(err->code)->code), "");
        add_term(t, labels[L_DETAIL][lang], err->detail, " lang=\"en\"");
    }
    add_term(t, labels[L_REFERENCE][lang], page->correlation, "");
    add_term(t, labels[L_CONTACT][lang], page->contact, "");
    eh_text_str(t, "</dl>");
}

static void add_error(eh_text_t *t, const eh_page_t *page, const void *what, eh_lang_e lang)
{
    const eh_err_t *err = what;
    const eh_err_info_t *info = eh_err_info(err->code);
    const words_t *words = words_of(info);

    eh_text_fmt(t, "<h1>%s</h1><p>%s</p>", eh_html(t->p, info->title[lang]), eh_html(t->p, (*words)[WHY][lang]));
    eh_text_fmt(t, "<h2>%s</h2><p>%s</p>", labels[L_REMEDY][lang], eh_html(t->p, (*words)[REMEDY][lang]));
    if (err->retry_after > 0) {
        const char *const *wait = labels[L_WAIT];
        const char *at = strstr(wait[lang], "%d");

        eh_text_fmt(t, "<p>%.*s%d%s</p>", (int)(at - wait[lang]), wait[lang], err->retry_after, at + 2);
    }
    eh_text_str(t, "<div class=\"acts\">");
    add_link(t, " class=\"btn\"", err->login, labels[L_LOGIN][lang]);
    add_link(t, err->login ? "" : " class=\"btn\"", page->link_url, labels[L_RETRY][lang]);
    add_link(t, "", page->logout_url, labels[L_LOGOUT][lang]);
    add_link(t, "", page->home_url, labels[L_HOME][lang]);
    eh_text_str(t, "</div>");
    add_terms(t, page, err, lang);
}

static void add_notice(eh_text_t *t, const eh_page_t *page, const void *what, eh_lang_e lang)
{
    const eh_page_words_t *words = what;

    eh_text_fmt(t, "<h1>%s</h1><p>%s</p>", eh_html(t->p, words->title[lang]), eh_html(t->p, words->lead[lang]));
    if (words->hint[lang]) eh_text_fmt(t, "<p>%s</p>", eh_html(t->p, words->hint[lang]));
    eh_text_str(t, "<div class=\"acts\">");
    if (words->button[lang]) add_form(t, page, eh_html(t->p, words->button[lang]));
    if (words->link[lang]) {
        add_link(t, words->button[lang] ? "" : " class=\"btn\"", page->link_url, eh_html(t->p, words->link[lang]));
    }
    add_link(t, "", page->home_url, labels[L_HOME][lang]);
    eh_text_str(t, "</div>");
    add_terms(t, page, NULL, lang);
}

typedef void add_fn(eh_text_t *t, const eh_page_t *page, const void *what, eh_lang_e lang);

static void add_section(eh_text_t *t, const eh_page_t *page, add_fn *add, const void *what, eh_lang_e lang, int own)
{
    const char *code = eh_lang_code(lang);

    eh_text_fmt(t, "<section id=\"%s\" lang=\"%s\"%s>", code, code, own ? " class=\"own\"" : "");
    add(t, page, what, lang);
    eh_text_str(t, "</section>\n");
}

static const char *document(apr_pool_t *p, const eh_page_t *page, const char *const title[EH_LANG_COUNT], add_fn *add,
                            const void *what)
{
    eh_lang_e own = (unsigned)page->lang < EH_LANG_COUNT ? page->lang : EH_LANG_EN;
    eh_text_t t;
    int i;

    eh_text_init(&t, p, 12288);
    eh_text_fmt(&t,
                "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"robots\" content=\"noindex\">\n<title>%s</title>\n<style>",
                eh_lang_code(own), eh_html(p, title[own]));
    eh_text_str(&t, style);
    eh_text_str(&t, "</style>\n</head>\n<body>\n<nav aria-label=\"Language, langue, taal, Sprache\"><ul>");
    for (i = 0; i < EH_LANG_COUNT; i++) {
        eh_text_fmt(&t, "<li><a href=\"#%s\" lang=\"%s\" hreflang=\"%s\">%s</a></li>", eh_lang_code((eh_lang_e)i),
                    eh_lang_code((eh_lang_e)i), eh_lang_code((eh_lang_e)i), own_names[i]);
    }
    eh_text_str(&t, "</ul></nav>\n<main>\n");
    for (i = 0; i < EH_LANG_COUNT; i++) {
        if (i != (int)own) add_section(&t, page, add, what, (eh_lang_e)i, 0);
    }
    add_section(&t, page, add, what, own, 1);
    eh_text_str(&t, "</main>\n</body>\n</html>\n");
    return t.s;
}

const char *eh_page_error(apr_pool_t *p, const eh_page_t *page, const eh_err_t *err)
{
    return document(p, page, eh_err_info(err->code)->title, add_error, err);
}

const char *eh_page_notice(apr_pool_t *p, const eh_page_t *page, const eh_page_words_t *words)
{
    return document(p, page, words->title, add_notice, words);
}

const char *eh_page_csp(apr_pool_t *p, const char *form_origin)
{
    static const char policy[] = "default-src 'none'; style-src 'sha256-" STYLE_DIGEST
                                 "'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
    const char *host = NULL;

    if (form_origin && strncmp(form_origin, "https://", 8) == 0) host = form_origin + 8;
    if (form_origin && strncmp(form_origin, "http://", 7) == 0) host = form_origin + 7;
    if (!host || !*host ||
        host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")] != '\0') {
        return policy;
    }
    return apr_pstrcat(p, policy, " ", form_origin, NULL);
}
