// SPDX-License-Identifier: Apache-2.0
// The door for tests: POST /<what> with JSON.
//   reset {}                               no tampering, no faults, counters at zero (both providers)
//   tamper {shape, id_token?, userinfo?, discovery?}   orders of tamper.mjs, until reset
//   fault {shape, endpoint, delay?, status?, drop?}    endpoint: discovery certs token userinfo logout auth; {} ends it
//   rotate {shape, keep}                   a new signing key now; keep the old one in the JWKS?
//   rotate-after-signing {shape, keep}     the next tokens are signed, then the key rotates before the answer leaves
//   counts {shape}                         requests by endpoint since reset
export async function control(shapes, req, res) {
  let body = '';
  for await (const chunk of req) body += chunk;
  const { shape: name, ...args } = JSON.parse(body || '{}');
  const what = req.url.slice(1);
  const shape = shapes[name];
  let answer = {};
  if (what === 'reset') {
    for (const each of Object.values(shapes)) each.reset();
  } else if (!shape) {
    res.writeHead(400).end('{"error":"which shape?"}');
    return;
  } else if (what === 'tamper') {
    shape.tamper = args;
  } else if (what === 'fault') {
    const { endpoint, ...fault } = args;
    if (Object.keys(fault).length) shape.faults[endpoint] = fault;
    else delete shape.faults[endpoint];
  } else if (what === 'rotate') {
    shape.rotate(args.keep === true);
  } else if (what === 'rotate-after-signing') {
    shape.rotateAfterSigning = args.keep ? 'keep' : 'drop';
  } else if (what === 'counts') {
    answer = shape.counts;
  } else {
    res.writeHead(404).end('{"error":"unknown"}');
    return;
  }
  res.writeHead(200, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify(answer));
}
