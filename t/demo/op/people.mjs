// SPDX-License-Identifier: Apache-2.0
// The invented people as claims, in the very shapes of facts/identity-providers.md §3 (keys, nesting and types of the
// real providers; empty strings where PSC sends empty strings).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { people, places } = JSON.parse(readFileSync(new URL('people.json', import.meta.url)));

export { people };
export const of = (shape) => people.filter((person) => person[shape]);

function activity(place) {
  return {
    codeModeExercice: 'S', codeSecteurDactivite: 'SA01', codeSectionPharmacien: '', codeRole: '', codeGenreActivite: 'GENR01',
    numeroSiretSite: place.siret, numeroSirenSite: place.siret.slice(0, 9), numeroFinessSite: place.finess,
    numeroFinessetablissementJuridique: '', identifiantTechniqueDeLaStructure: `F${place.finess}`,
    raisonSocialeSite: place.name.toUpperCase(), enseigneCommercialeSite: '', complementDestinataire: '',
    complementPointGeographique: '', numeroVoie: '1', indiceRepetitionVoie: '', codeTypeDeVoie: 'R',
    libelleVoie: 'DE L’EXEMPLE', mentionDistribution: '', bureauCedex: '', codePostal: '75009', codeCommune: '75109',
    codePays: '99000', telephone: '', telephone2: '', telecopie: '', adresseEMail: '', codeDepartement: '75',
    ancienIdentifiantDeLaStructure: '', autoriteDenregistrement: 'CNOM/CNOM/CNOM',
  };
}

function psc(person) {
  const { rpps, profession, category, skill, place } = person.psc;
  const id = `8${rpps}`;
  return {
    sub: `f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:${id}`,
    SubjectNameID: id,
    preferred_username: id,
    given_name: person.given_name, family_name: person.family_name, email_verified: false,
    authMode: 'CARD',
    otherIds: [{ identifiant: id, origine: 'RPPS', qualite: 1 }],
    SubjectRole: [`${profession}^1.2.250.1.213.1.1.5.5`],
    SubjectOrganization: places[place].name.toUpperCase(), SubjectOrganizationID: `F${places[place].finess}`,
    Secteur_Activite: 'SA01^1.2.250.1.71.4.2.4',
    PSI_Locale: '1.2.250.1.213.1.3.1.1', UITVersion: '1.0',
    Palier_Authentification: 'APPPRIP3^1.2.250.1.213.1.5.1.1.1',
    Mode_Acces_Raison: '', Acces_Regulation_Medicale: 'FAUX',
    SubjectRefPro: {
      codeCivilite: person.civility,
      exercices: [{
        codeProfession: profession, codeCategorieProfessionnelle: category,
        codeCiviliteDexercice: profession === '10' ? 'DR' : '', nomDexercice: person.family_name,
        prenomDexercice: person.given_name, codeTypeSavoirFaire: skill ? 'S' : '', codeSavoirFaire: skill,
        activities: [activity(places[place])],
      }],
    },
  };
}

function iam(person) {
  const { ssin, discipline, gender, place, roles } = person.iam;
  const userProfile = { ssin, firstName: person.given_name, lastName: person.family_name, gender, ...discipline };
  if (place) userProfile.organizations = [{ hospital: { nihii: places[place].nihii, name: places[place].name } }];
  return {
    sub: createHash('sha256').update(`iam ${ssin}`).digest('hex').slice(0, 32)
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    name: `${person.given_name} ${person.family_name}`,
    given_name: person.given_name, family_name: person.family_name, preferred_username: person.id, locale: 'nl',
    ssin, userProfile,
    resource_access: { 'nihdi-uhmep-api': { roles } },
  };
}

const make = { psc, iam };

export const claims = (shape, person) => make[shape](person);

// Claim names by scope, as oidc-provider wants them.
export const released = {
  psc: {
    openid: ['sub'],
    scope_all: Object.keys(psc(of('psc')[0])).filter((name) => name !== 'sub'),
  },
  iam: { openid: Object.keys(iam(of('iam')[0])) },
};
