// SPDX-License-Identifier: Apache-2.0
// node op.mjs CONFIG.json: both providers on loopback, and a control door for tests.
//   CONFIG: { host, ports: {wallet, psc, iam, control}, alg, clients: {psc: [], iam: []}, tls: null | {cert, key, ca} }
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { control } from './control.mjs';
import { Shape } from './shape.mjs';

const conf = JSON.parse(readFileSync(process.argv[2]));
const scheme = conf.tls ? 'https' : 'http';
const at = (name) => `${scheme}://${conf.host}:${conf.ports[name]}`;

const shapes = {
  psc: new Shape('psc', {
    issuer: `${at('psc')}/auth/realms/esante-wallet`, wallet: at('wallet'), alg: conf.alg, clients: conf.clients.psc ?? [],
  }),
  iam: new Shape('iam', { issuer: `${at('iam')}/auth/realms/healthcare`, alg: conf.alg, clients: conf.clients.iam ?? [] }),
};

function serve(name, handler) {
  const guarded = (req, res) => Promise.resolve(handler(req, res)).catch((err) => {
    console.error(err);
    if (!res.headersSent) res.writeHead(500);
    res.end();
  });
  const server = conf.tls && name !== 'control'
    ? https.createServer({
      cert: readFileSync(conf.tls.cert), key: readFileSync(conf.tls.key), ca: readFileSync(conf.tls.ca),
      requestCert: true, rejectUnauthorized: false, // whoever shows no certificate must authenticate otherwise
    }, guarded)
    : http.createServer(guarded);
  server.keepAliveTimeout = 2000;
  server.listen(conf.ports[name], '127.0.0.1');
}

serve('wallet', (req, res) => shapes.psc.handle(req, res, true));
serve('psc', (req, res) => shapes.psc.handle(req, res, false));
serve('iam', (req, res) => shapes.iam.handle(req, res, false));
serve('control', (req, res) => control(shapes, req, res));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
