// SPDX-License-Identifier: Apache-2.0
// Key sets of an identity provider over HTTP: fetched once, for all, and again when a key is new.
import http from 'node:http';
import https from 'node:https';
import { CERTIFICATE, KEY } from '../proxies/certificate.mjs';
import { Node } from '../support/node.mjs';
import { check, check_equal, sleep } from '../support/report.mjs';
import { jwk_of, key_pair, sign_token } from '../support/tokens.mjs';
import { outcome, PUBLIC } from './algorithms.mjs';

// A server of one document, which a case may change; it counts who asks.
async function start_provider(context, keys, { answer_ms = 0, tls = false } = {}) {
  const provider = { keys, asked: 0 };
  const serve = async (request, response) => {
    provider.asked += 1;
    provider.method = request.method;
    await sleep(answer_ms);
    response.setHeader('Content-Type', 'application/jwk-set+json');
    response.end(JSON.stringify({ keys: provider.keys }));
  };
  const server = tls ? https.createServer({ cert: CERTIFICATE, key: KEY }, serve)
    : http.createServer(serve);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.defer(() => server.close());
  provider.url = `http${tls ? 's' : ''}://localhost:${server.address().port}/keys.json?a=b`;
  return provider;
}

async function node_of(context, provider, token = {}) {
  const node = await Node.start(
    { client: { token: { jwks_public_endpoint: provider.url, ...token } } }, { shards: 1 });
  context.defer(() => node.stop_cleanly());
  return node;
}

export function add_key_sets(report) {
  // A set is fetched again, if it lacks a key, when it is ten seconds old.
  report.test('key set: every algorithm, by the id of its key', { still_ms_max: 1000 }, async (context) => {
    const pairs = Object.fromEntries(PUBLIC.map((alg) => [alg, key_pair(alg)]));
    const provider = await start_provider(context, [
      { kty: 'oct', kid: 'HS256', k: 'c2VjcmV0' },
      ...PUBLIC.map((alg) => jwk_of(pairs[alg], { kid: alg, alg, use: 'sig' })),
    ], { answer_ms: 200 });
    const node = await node_of(context, provider, { hmac_secret_key: 'secret' });
    const good = PUBLIC.map((alg) => sign_token({ sub: 'a' },
      { alg, key: pairs[alg], head: { kid: alg } }));
    const outcomes = await Promise.all(good.map((token) => outcome(context, node, token)));
    check_equal(outcomes, PUBLIC.map(() => 'connected'), 'the outcomes');
    check_equal([provider.asked, provider.method], [1, 'GET'], 'what the provider was asked');
    const bad = [
      sign_token({ sub: 'a' }, { alg: 'HS256', key: 'secret', head: { kid: 'HS256' } }),
      sign_token({ sub: 'a' }, { alg: 'RS256', key: pairs.RS256, head: { kid: 'ES256' } }),
      sign_token({ sub: 'a' }, { alg: 'RS256', key: pairs.RS256, head: { kid: 'RS384' } }),
      sign_token({ sub: 'a' }, { alg: 'EdDSA', key: key_pair('EdDSA'), head: { kid: 'EdDSA' } }),
      sign_token({ sub: 'a' }, { alg: 'EdDSA', key: pairs.EdDSA, head: { kid: 'nobody' } }),
      sign_token({ sub: 'a' }, { alg: 'EdDSA', key: pairs.EdDSA }),
    ];
    for (const [i, token] of bad.entries()) {
      check_equal(await outcome(context, node, token), 3500, `bad token ${i}`);
    }
    const plain = sign_token({ sub: 'a' }, { alg: 'HS256', key: 'secret' });
    check_equal(await outcome(context, node, plain), 'connected', 'a token without kid');
    check_equal(provider.asked, 1, 'requests for made-up keys');
    check_equal(await node.metric('roost_token_key_set_fetch_count', 'result="taken"'), 1,
      'the metric');
  });
  report.test('key set: over HTTPS, from whom the authority vouches for', async (context) => {
    const key = key_pair('ES256');
    const provider = await start_provider(context, [jwk_of(key, { kid: 'k' })], { tls: true });
    const token = sign_token({ sub: 'a' }, { alg: 'ES256', key, head: { kid: 'k' } });
    const trusting = await node_of(context, provider, { jwks_server_ca_pem: CERTIFICATE });
    check_equal(await outcome(context, trusting, token), 'connected', 'with its authority');
    check_equal(provider.asked, 1, 'what the provider was asked');
    const strict = await node_of(context, provider);
    check_equal(await outcome(context, strict, token), 100, 'with the authorities of the system');
    check_equal(provider.asked, 1, 'nothing was asked of a stranger');
  });
  report.test('key set: a provider that is not there is error 100', async (context) => {
    const node = await node_of(context, { url: 'http://127.0.0.1:1/keys' });
    const token = sign_token({}, { alg: 'EdDSA', key: key_pair('EdDSA'), head: { kid: 'k' } });
    check_equal(await outcome(context, node, token), 100, 'the outcome');
    check((await node.metric('roost_token_key_set_fetch_count', 'result="failed"')) === 1,
      'the metric');
  });
}
