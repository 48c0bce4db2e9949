// SPDX-License-Identifier: Apache-2.0
// Signing keys of a provider, and their rotation.
import { generateKeyPairSync, randomUUID } from 'node:crypto';

const KINDS = {
  RS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed: () => generateKeyPairSync('ed25519'),
};

export function makeKey(alg) {
  const { privateKey } = KINDS[alg.slice(0, 2)]();
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

export function publicPart({ d, p, q, dp, dq, qi, ...jwk }) {
  return jwk;
}
