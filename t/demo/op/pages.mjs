// SPDX-License-Identifier: Apache-2.0
// What people see of the two providers. Plain HTML, one style sheet inside, readable on a phone, in Chrome's forced
// colours and by a screen reader.
const LOOK = {
  psc: {
    lang: 'fr', title: 'Pro Santé Connect', colour: '#1b3a8c', tint: '#eaf0fb',
    note: 'Fournisseur de démonstration. Toutes les personnes sont inventées : choisissez qui vous êtes.',
    who: 'Qui se connecte ?', cancel: 'Annuler', error: 'La connexion n’a pas pu aboutir',
    out: 'Se déconnecter de Pro Santé Connect ?', outText: 'La session de l’application est déjà fermée.',
    yes: 'Se déconnecter', no: 'Rester connecté', done: 'Vous êtes déconnecté.', id: 'RPPS',
  },
  iam: {
    lang: 'nl', title: 'I.AM Connect', colour: '#0b5d4e', tint: '#e6f4f0',
    note: 'Demonstratieprovider. Alle personen zijn verzonnen: kies wie u bent.',
    who: 'Wie meldt zich aan?', cancel: 'Annuleren', error: 'De aanmelding is niet gelukt',
    out: 'Ook bij I.AM Connect afmelden?', outText: 'De sessie van de toepassing is al gesloten.',
    yes: 'Afmelden', no: 'Aangemeld blijven', done: 'U bent afgemeld.', id: 'INSZ',
  },
};

export const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function shell(look, title, body) {
  return `<!DOCTYPE html>
<html lang="${look.lang}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} – ${look.title}</title>
<link rel="icon" href="data:,">
<style>
:root { --main: ${look.colour}; --tint: ${look.tint}; }
* { box-sizing: border-box; }
body { margin: 0; font: 1.0625rem/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1c2430; background: var(--tint); }
header { background: var(--main); color: #fff; padding: 1rem; }
header p { margin: 0 auto; max-width: 38rem; font-size: 1.25rem; font-weight: 600; }
header span { display: block; font-size: .9375rem; font-weight: 400; }
main { max-width: 40rem; margin: 1.5rem auto; padding: 0 1rem; }
section { background: #fff; border: 1px solid #c9d2de; border-radius: .5rem; padding: 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }
ul { list-style: none; margin: 1rem 0; padding: 0; display: grid; gap: .625rem; }
button { font: inherit; cursor: pointer; border-radius: .375rem; }
.person { width: 100%; text-align: left; padding: .75rem 1rem; background: #fff; border: 1px solid #6b7686; color: inherit; }
.person strong { display: block; font-size: 1.125rem; color: var(--main); }
.person small { display: block; font-size: .875rem; color: #4b5563; }
.person:hover { background: var(--tint); border-color: var(--main); }
.plain { padding: .625rem 1.125rem; background: #fff; border: 1px solid #6b7686; color: #1c2430; }
.main { padding: .625rem 1.125rem; background: var(--main); border: 1px solid var(--main); color: #fff; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
:focus-visible { outline: 3px solid #b45309; outline-offset: 2px; }
</style>
</head>
<body>
<header><p>${look.title}<span>${look.lang === 'fr' ? 'démonstration' : 'demonstratie'}</span></p></header>
<main><section>
${body}
</section></main>
</body>
</html>
`;
}

export function login(shape, people, action, app) {
  const look = LOOK[shape];
  const items = people.map((person) => `<li><form method="post" action="${escape(action)}">
<button class="person" name="person" value="${person.id}"><strong>${escape(`${person.given_name} ${person.family_name}`)}</strong>
${escape(person.what[look.lang] ?? person.what.fr)}
<small>${look.id} ${escape(shape === 'psc' ? person.psc.rpps : person.iam.ssin)}</small></button></form></li>`).join('\n');
  return shell(look, look.who, `<h1>${look.who}</h1>
<p>${look.note}</p>
<ul>
${items}
</ul>
<form method="post" action="${escape(action)}"><button class="plain" name="cancel" value="1">${look.cancel}</button></form>`);
}

export function logout(shape, form) {
  const look = LOOK[shape];
  return shell(look, look.out, `<h1>${look.out}</h1>
<p>${look.outText}</p>
${form}
<p class="row"><button class="main" form="op.logoutForm" name="logout" value="yes">${look.yes}</button>
<button class="plain" form="op.logoutForm">${look.no}</button></p>`);
}

export function loggedOut(shape) {
  return shell(LOOK[shape], LOOK[shape].done, `<h1>${LOOK[shape].done}</h1>`);
}

export function failed(shape, out) {
  const look = LOOK[shape];
  return shell(look, look.error, `<h1>${look.error}</h1>
<p><code>${escape(out.error)}</code> ${escape(out.error_description ?? '')}</p>`);
}
