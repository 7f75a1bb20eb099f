// SPDX-License-Identifier: Apache-2.0
// Tokens signed with Node's crypto, in every algorithm that there is.
import { constants, createHmac, createSign, generateKeyPairSync, sign } from 'node:crypto';

function base64url(value) {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    .toString('base64url');
}

const EC_CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

// A key pair for an algorithm (not for HMAC).
export function key_pair(alg, { bits = 2048 } = {}) {
  if (alg === 'EdDSA') {
    return generateKeyPairSync('ed25519');
  }
  return EC_CURVES[alg] === undefined ? generateKeyPairSync('rsa', { modulusLength: bits })
    : generateKeyPairSync('ec', { namedCurve: EC_CURVES[alg] });
}

export function pem_of({ publicKey }) {
  return publicKey.export({ type: 'spki', format: 'pem' });
}

export function jwk_of({ publicKey }, more = {}) {
  return { ...publicKey.export({ format: 'jwk' }), ...more };
}

function signature_of(alg, key, text) {
  const hash = `sha${alg.slice(2)}`;
  switch (alg.slice(0, 2)) {
    case 'HS':
      return createHmac(hash, key).update(text).digest();
    case 'RS':
      return createSign(hash).update(text).sign(key.privateKey);
    case 'PS':
      return createSign(hash).update(text).sign({ key: key.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
    case 'ES':
      return createSign(hash).update(text)
        .sign({ key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    case 'Ed':
      return sign(null, Buffer.from(text), key.privateKey);
    default:
      return Buffer.alloc(0);
  }
}

// `key`: a pair, or the secret of an HMAC. `head`: more of the header; `told`: the algorithm that
// the header tells, if that is not the one it is signed with.
export function sign_token(claims, { alg, key, head = {}, told = alg }) {
  const text = `${base64url({ typ: 'JWT', alg: told, ...head })}.${base64url(claims)}`;
  return `${text}.${signature_of(alg, key, text).toString('base64url')}`;
}
