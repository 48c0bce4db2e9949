// SPDX-License-Identifier: Apache-2.0
// Spoils what oidc-provider issued, on a test's order. An order:
//   set   claims to replace            drop   claims to leave out        header  header members to replace (null: leave out)
//   sign  "again" (default: with the provider's own key) | "none" | "hs256" (keyed by the public key's PEM) | "hs256-secret"
//         (keyed by `secret`) | "foreign" (another key, same kid) | "broken" (one bit of the signature) | "strip" (none left)
//   jwk   true: the foreign key travels in the header
// For userinfo also: jwt true (answer as a signed JWT), raw (any text), type.
import {
  createHmac, createPrivateKey, createPublicKey, sign as signBytes, constants,
} from 'node:crypto';

import { makeKey, publicPart } from './keys.mjs';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function edit(claims, { set = {}, drop = [] }) {
  const out = { ...claims, ...set };
  for (const name of drop) delete out[name];
  return out;
}

function signature(alg, input, jwk) {
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const data = Buffer.from(input);
  switch (alg.slice(0, 2)) {
    case 'RS': return signBytes('sha256', data, key);
    case 'PS': return signBytes('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'ES': return signBytes('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    default: return signBytes(null, data, key);
  }
}

function make(claims, order, jwk) {
  let { alg } = jwk;
  let key = jwk;
  const header = { alg, typ: 'JWT', kid: jwk.kid };
  const how = order.sign ?? 'again';
  if (how === 'none') header.alg = 'none';
  if (how.startsWith('hs256')) header.alg = 'HS256';
  if (how === 'foreign') key = makeKey(alg);
  if (order.jwk) header.jwk = publicPart(key);
  for (const [name, value] of Object.entries(order.header ?? {})) {
    if (value === null) delete header[name];
    else header[name] = value;
  }
  alg = key.alg;
  const input = `${b64(header)}.${b64(claims)}`;
  if (how === 'none' || how === 'strip') return `${input}.`;
  if (how === 'hs256') {
    const pem = createPublicKey({ key: publicPart(jwk), format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
  }
  if (how === 'hs256-secret') return `${input}.${createHmac('sha256', order.secret).update(input).digest('base64url')}`;
  const bytes = signature(alg, input, key);
  if (how === 'broken') bytes[10] ^= 1;
  return `${input}.${bytes.toString('base64url')}`;
}

export const decode = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

export async function spoilToken(body, order, jwk) {
  if (order.omit) {
    const { id_token: _, ...rest } = body;
    return rest;
  }
  if (order.raw !== undefined) return { ...body, id_token: order.raw };
  return { ...body, id_token: make(edit(decode(body.id_token), order), order, jwk) };
}

export async function spoilUserinfo(ctx, order, jwk) {
  if (order.raw !== undefined) {
    ctx.type = order.type ?? 'application/json';
    ctx.body = order.raw;
    return;
  }
  const claims = typeof ctx.body === 'string' ? decode(ctx.body) : ctx.body;
  if (order.jwt || typeof ctx.body === 'string') {
    ctx.body = make(edit(claims, order), order, jwk);
    ctx.type = 'application/jwt';
  } else {
    ctx.body = edit(claims, order);
  }
}
