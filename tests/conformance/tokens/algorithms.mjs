// SPDX-License-Identifier: Apache-2.0
// Every algorithm with its key, and every way to pass off something else as a good signature.
import { spawnSync } from 'node:child_process';
import { createSign } from 'node:crypto';
import { RawClient, now_s } from '../support/client.mjs';
import { Node, roostd_path } from '../support/node.mjs';
import { check, check_equal } from '../support/report.mjs';
import { key_pair, pem_of, sign_token } from '../support/tokens.mjs';

export const PUBLIC = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const SETTINGS = { RS: 'rsa_public_key', ES: 'ecdsa_public_key', Ed: 'eddsa_public_key' };

async function node_with(context, token, more = {}) {
  const node = await Node.start({ client: { token, ...more } }, { shards: 2 });
  context.defer(() => node.stop_cleanly());
  return node;
}

// What a connect with this token comes to: the reply, or the code of the end.
export async function outcome(context, node, token) {
  const raw = await RawClient.open(context, node);
  raw.send({ id: 1, connect: { token } });
  const line = await raw.next_line();
  return line === null ? raw.close.code : (JSON.parse(line).error?.code ?? 'connected');
}

function add_each(report) {
  for (const alg of PUBLIC) {
    report.test(`algorithm: ${alg} is verified with its key`, async (context) => {
      const key = key_pair(alg);
      const node = await node_with(context, { [SETTINGS[alg.slice(0, 2)]]: pem_of(key) });
      const good = sign_token({ sub: 'ann' }, { alg, key });
      const [head, claims, signature] = good.split('.');
      const other = sign_token({ sub: 'bob' }, { alg, key }).split('.');
      const cases = [
        [good, 'connected'],
        [sign_token({ sub: 'ann', exp: now_s() - 1 }, { alg, key }), 109],
        [sign_token({ sub: 'ann', nbf: now_s() + 100 }, { alg, key }), 109],
        [sign_token({ sub: 'ann' }, { alg, key: key_pair(alg) }), 3500],
        [sign_token({ sub: 'ann' }, { alg: 'none', key }), 3500],
        [sign_token({ sub: 'ann' }, { alg, key, told: 'none' }), 3500],
        [sign_token({ sub: 'ann' }, { alg: 'HS256', key: pem_of(key) }), 3500],
        [sign_token({ sub: 'ann' }, { alg: 'HS256', key: pem_of(key), told: alg }), 3500],
        [sign_token({ sub: 'ann' }, { alg: 'HS256', key: '' }), 3500],
        [`${head}.${claims}.`, 3500],
        [`${head}.${claims}.${signature.slice(0, -4)}`, 3500],
        [`${head}.${claims}.${signature}AAAA`, 3500],
        [`${head}.${claims}.${other[2]}`, 3500],
        [`${head}.${other[1]}.${signature}`, 3500],
      ];
      for (const told of PUBLIC.filter((one) => one !== alg)) {
        cases.push([sign_token({ sub: 'ann' }, { alg, key, told }), 3500]);
      }
      for (const [i, [token, wanted]] of cases.entries()) {
        check_equal(await outcome(context, node, token), wanted, `case ${i}`);
      }
    });
  }
}

function add_several(report) {
  report.test('algorithm: keys of all families side by side', async (context) => {
    const rsa = key_pair('RS256');
    const ec = key_pair('ES256');
    const ed = key_pair('EdDSA');
    const node = await node_with(context, { hmac_secret_key: 'secret', rsa_public_key: pem_of(rsa),
      ecdsa_public_key: pem_of(ec), eddsa_public_key: pem_of(ed) });
    const good = [['HS256', 'secret'], ['HS512', 'secret'], ['RS384', rsa], ['ES256', ec],
      ['EdDSA', ed]];
    for (const [alg, key] of good) {
      check_equal(await outcome(context, node, sign_token({ sub: 'a' }, { alg, key })),
        'connected', alg);
    }
    const bad = [['PS256', rsa], ['ES384', key_pair('ES384')], ['HS256', pem_of(rsa)],
      ['HS256', pem_of(ec)]];
    for (const [alg, key] of bad) {
      check_equal(await outcome(context, node, sign_token({ sub: 'a' }, { alg, key })), 3500, alg);
    }
  });
  report.test('algorithm: a DER signature is none of a token', async (context) => {
    const key = key_pair('ES256');
    const node = await node_with(context, { ecdsa_public_key: pem_of(key) });
    const text = sign_token({ sub: 'a' }, { alg: 'ES256', key }).split('.').slice(0, 2).join('.');
    const der = createSign('sha256').update(text).sign(key.privateKey);
    check_equal(await outcome(context, node, `${text}.${der.toString('base64url')}`), 3500, 'DER');
  });
  report.test('claims: audience and issuer as regular expressions', async (context) => {
    const node = await node_with(context, { hmac_secret_key: 'secret',
      audience_regex: '^app-[a-c]$', issuer_regex: '^https://(?P<tenant>\\w+)\\.example\\.org$' });
    const iss = 'https://blue.example.org';
    const cases = [
      [{ aud: 'app-a', iss }, 'connected'],
      [{ aud: ['other', 'app-b'], iss }, 'connected'],
      [{ aud: 'app-d', iss }, 3500],
      [{ aud: 'app-a', iss: 'https://blue-example.org' }, 3500],
      [{ aud: 'app-a' }, 3500],
      [{ iss }, 3500],
    ];
    for (const [claims, wanted] of cases) {
      const token = sign_token(claims, { alg: 'HS256', key: 'secret' });
      check_equal(await outcome(context, node, token), wanted, JSON.stringify(claims));
    }
  });
}

function add_refused(report) {
  report.test('keys: what is no key of its family is refused by name', async () => {
    const wrong = {
      rsa_public_key: [pem_of(key_pair('ES256')), pem_of(key_pair('RS256', { bits: 1024 })), 'x'],
      ecdsa_public_key: [pem_of(key_pair('RS256')), pem_of(key_pair('EdDSA'))],
      eddsa_public_key: [pem_of(key_pair('ES256'))],
      audience_regex: ['(', '(?=a)', '\\pL'],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const variable = `ROOST_CLIENT_TOKEN_${name.toUpperCase()}`;
        const { status, stderr } = spawnSync(roostd_path(), ['--check'],
          { env: { ...process.env, [variable]: value }, encoding: 'utf8' });
        check_equal(status, 2, `the exit status with a wrong ${name}`);
        check(stderr.includes(`client.token.${name}: found`), `${name}: ${stderr}`);
      }
    }
  });
}

export function add_algorithms(report) {
  add_each(report);
  add_several(report);
  add_refused(report);
}
