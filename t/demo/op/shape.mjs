// SPDX-License-Identifier: Apache-2.0
// One provider: npm's oidc-provider, with the paths, claims, lifetimes and manners of the real one.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { makeKey, publicPart } from './keys.mjs';
import * as pages from './pages.mjs';
import { claims, of, released } from './people.mjs';
import { MemoryStore } from './store.mjs';
import { spoilToken, spoilUserinfo } from './tamper.mjs';

const require = createRequire(`${process.env.EH_NODE_MODULES}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const LIFE = { // seconds; PSC: IG securisation-transport
  psc: { AccessToken: 120, RefreshToken: 1800, Session: 4 * 3600, IdToken: 120 },
  iam: { AccessToken: 300, RefreshToken: 1800, Session: 4 * 3600, IdToken: 300 },
};
const ID_TOKEN_ALGS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

export class Shape {
  constructor(name, { issuer, wallet = null, alg, clients, tls }) {
    Object.assign(this, { name, issuer, wallet, alg, clients, tls });
    this.realm = new URL(issuer).pathname;
    this.store = new MemoryStore();
    this.people = of(name);
    this.accounts = new Map(this.people.map((person) => [claims(name, person).sub, claims(name, person)]));
    this.old = []; // public keys that rotation left in the JWKS
    this.reset();
    this.rotate(false);
  }

  reset() {
    this.tamper = {};   // see tamper.mjs
    this.faults = {};   // endpoint -> { delay, status, drop }
    this.counts = {};   // endpoint -> requests
    this.rotateAfterSigning = null;
  }

  // A new signing key; the old one stays in the JWKS or not. The store goes on, so that codes and sessions live.
  rotate(keep) {
    if (keep) this.old.push(publicPart(this.key));
    else this.old = [];
    this.key = makeKey(this.alg);
    this.provider = this.#make();
    this.callback = this.provider.callback();
  }

  #make() {
    const { name, store } = this;
    const provider = new Provider(this.issuer, {
      adapter: store.adapter(),
      clients: this.clients.map((client) => ({
        id_token_signed_response_alg: this.alg, require_auth_time: true, grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'], ...client,
      })),
      jwks: { keys: [this.key] },
      routes: {
        authorization: '/protocol/openid-connect/auth', token: '/protocol/openid-connect/token',
        userinfo: '/protocol/openid-connect/userinfo', jwks: '/protocol/openid-connect/certs',
        end_session: '/protocol/openid-connect/logout', introspection: '/protocol/openid-connect/token/introspect',
        revocation: '/protocol/openid-connect/revoke',
      },
      scopes: name === 'psc' ? ['openid', 'scope_all'] : ['openid'],
      claims: { acr: null, auth_time: null, iss: null, sid: null, ...released[name] },
      acrValues: name === 'psc' ? ['eidas1'] : [],
      conformIdTokenClaims: name === 'psc', // I.AM puts userProfile and resource_access into the ID token
      ttl: { ...LIFE[name], Grant: 4 * 3600, Interaction: 900, AuthorizationCode: 60 },
      cookies: {
        keys: [store.cookieKey],
        // both providers and the portal may live on one host name: cookies know no ports
        names: { session: `${name}_session`, interaction: `${name}_it`, resume: `${name}_resume` },
      },
      pkce: { required: () => true },
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
      enabledJWA: {
        idTokenSigningAlgValues: ID_TOKEN_ALGS, userinfoSigningAlgValues: ID_TOKEN_ALGS,
        clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      },
      features: {
        devInteractions: { enabled: false },
        pushedAuthorizationRequests: { enabled: false },
        introspection: { enabled: true },
        revocation: { enabled: true },
        jwtUserinfo: { enabled: true },
        mTLS: {
          enabled: true, tlsClientAuth: true,
          getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.()?.toString(),
          certificateAuthorized: (ctx) => ctx.socket.authorized === true,
          certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
            && ctx.socket.getPeerX509Certificate().subject.split('\n').reverse().join(',') === expected,
        },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (ctx, form) => { ctx.type = 'html'; ctx.body = pages.logout(name, form); },
          postLogoutSuccessSource: (ctx) => { ctx.type = 'html'; ctx.body = pages.loggedOut(name); },
        },
      },
      interactions: { url: (ctx, interaction) => `${this.realm}/login/${interaction.uid}` },
      findAccount: (ctx, id) => this.accounts.has(id) && { accountId: id, claims: () => this.accounts.get(id) },
      issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
      loadExistingGrant: async (ctx) => { // both providers know their applications: no consent page
        const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
        grant.addOIDCScope(name === 'psc' ? 'openid scope_all' : 'openid');
        await grant.save();
        return grant;
      },
      renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = pages.failed(name, out); },
    });
    provider.on('server_error', (ctx, err) => console.error(err));
    provider.use((ctx, next) => this.#after(ctx, next));
    return provider;
  }

  // Runs around oidc-provider's own handler: what it answers is finished here, or spoilt when a test asked for it.
  async #after(ctx, next) {
    await next();
    const route = ctx.oidc?.route;
    if (route === 'discovery' && ctx.status === 200) {
      if (this.wallet) ctx.body.authorization_endpoint = `${this.wallet}/auth`;
      Object.assign(ctx.body, this.tamper.discovery ?? {});
    } else if (route === 'jwks') {
      ctx.body = { keys: [...ctx.body.keys, ...this.old] };
    } else if (route === 'token' && ctx.body?.id_token) {
      if (this.tamper.id_token) ctx.body = await spoilToken(ctx.body, this.tamper.id_token, this.key);
      if (this.rotateAfterSigning) this.rotate(this.rotateAfterSigning === 'keep');
    } else if (route === 'userinfo' && this.tamper.userinfo && ctx.status === 200) {
      await spoilUserinfo(ctx, this.tamper.userinfo, this.key);
    }
  }

  endpoint(path) {
    if (path.includes('/.well-known/')) return 'discovery';
    const match = /\/openid-connect\/(certs|token|userinfo|logout|auth)(\/|$)/.exec(path);
    return match ? match[1] : path.includes('/login/') ? 'login' : 'other';
  }

  // PSC: people come to the wallet, everything else is on the other host; the description has a path of its own.
  async handle(req, res, onWallet) {
    const { pathname: path, search } = new URL(req.url, this.issuer);
    req.baseUrl = this.realm; // from which oidc-provider makes its own addresses
    const where = onWallet && path === '/auth' ? 'auth' : this.endpoint(path);
    this.counts[where] = (this.counts[where] ?? 0) + 1;
    if (await this.#fault(where, req, res)) return;
    if (onWallet && path === '/auth') {
      req.url = `/protocol/openid-connect/auth${search}`;
      this.callback(req, res);
    } else if (!path.startsWith(`${this.realm}/`)) {
      res.writeHead(404).end();
    } else if (path.startsWith(`${this.realm}/login/`)) {
      await this.#login(req, res, path);
    } else if (this.wallet && path.endsWith('/.well-known/openid-configuration')) {
      res.writeHead(404).end(); // whoever appends the usual path must notice
    } else {
      req.url = req.url.slice(this.realm.length)
        .replace('/.well-known/wallet-openid-configuration', '/.well-known/openid-configuration');
      this.callback(req, res);
    }
  }

  async #fault(where, req, res) {
    const fault = this.faults[where];
    if (!fault) return false;
    if (fault.delay) await new Promise((done) => { setTimeout(done, fault.delay); });
    if (fault.drop) return req.socket.destroy();
    if (!fault.status) return false;
    res.writeHead(fault.status, { 'Content-Type': fault.type ?? 'application/json', ...(fault.headers ?? {}) });
    res.end(fault.body ?? '{"error":"temporarily_unavailable"}');
    return true;
  }

  async #login(req, res, path) {
    const details = await this.provider.interactionDetails(req, res).catch(() => null);
    if (!details) {
      res.writeHead(400, { 'Content-Type': 'text/html; charset=utf-8' });
      res.end(pages.failed(this.name, { error: 'session_not_found' }));
      return;
    }
    if (req.method !== 'POST') {
      res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
      res.end(pages.login(this.name, this.people, path));
      return;
    }
    let body = '';
    for await (const chunk of req) if ((body += chunk).length > 4096) break;
    const form = new URLSearchParams(body);
    const person = this.people.find(({ id }) => id === form.get('person'));
    const result = person
      ? { login: { accountId: claims(this.name, person).sub, ...(this.name === 'psc' ? { acr: 'eidas1' } : {}), remember: true } }
      : { error: 'access_denied', error_description: 'The person cancelled.' };
    await this.provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
  }
}
