/** Owns the keys under which people and items are known inside the store. */

/** 16 bytes: HMAC-SHA256(tenant key, external id), truncated. */
export type SubjectKey = Uint8Array;
/** 16 bytes: SHA-256(tenant, external id), truncated. Items are not personal. */
export type ItemKey = Uint8Array;
