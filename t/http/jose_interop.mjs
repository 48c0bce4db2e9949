// SPDX-License-Identifier: Apache-2.0
// npm jose as an oracle: jobs as a JSON array on stdin, answers in the same order on stdout.
//   {op:"generate",alg}  {op:"sign",alg,kid?,jwk,payload}  {op:"verify",alg?,jwk,token}  {op:"verifySet",jwks,token}
//   {op:"thumbprint",jwk}
// Each answer is {ok:…} or {error:"…"}. EH_NODE_MODULES: the folder jose is installed in.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { text } from 'node:stream/consumers';

const require = createRequire(join(process.env.EH_NODE_MODULES, 'x.js'));
const jose = await import(pathToFileURL(require.resolve('jose')));

const utf8 = new TextEncoder();
const plain = new TextDecoder();

const operations = {
  async generate({ alg }) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
    return jose.exportJWK(privateKey);
  },
  async sign({ alg, kid, jwk, payload }) {
    const key = await jose.importJWK(jwk, alg);
    return new jose.CompactSign(utf8.encode(payload)).setProtectedHeader(kid ? { alg, kid } : { alg }).sign(key);
  },
  async verify({ alg, jwk, token }) {
    const key = await jose.importJWK(jwk, alg ?? jose.decodeProtectedHeader(token).alg);
    const { payload } = await jose.compactVerify(token, key, alg ? { algorithms: [alg] } : {});
    return plain.decode(payload);
  },
  async verifySet({ jwks, token }) {
    const { payload } = await jose.compactVerify(token, jose.createLocalJWKSet(jwks));
    return plain.decode(payload);
  },
  thumbprint: ({ jwk }) => jose.calculateJwkThumbprint(jwk, 'sha256'),
};

const answers = [];
for (const job of JSON.parse(await text(process.stdin))) {
  try {
    answers.push({ ok: await operations[job.op](job) });
  } catch (error) {
    answers.push({ error: `${error.code ?? error.name}: ${error.message}` });
  }
}
process.stdout.write(JSON.stringify(answers));
