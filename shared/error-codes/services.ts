/** Owns the codes of services and of who may use them. */
import type { ErrorCode } from './error-code.ts';

export const SERVICE_CODES = {
  AUTH_CSRF: {
    retry: 'never',
    status: 403,
    what: 'The form was not sent by the page that you were shown.',
    todo: 'Reload the page and send it again.',
  },
  AUTH_DEFAULT_PASSWORD: {
    retry: 'never',
    status: 500,
    what: 'The dashboard has a default password outside the demo.',
    todo: 'Set one with `millrace password reset`.',
  },
  AUTH_KEY_INVALID: {
    retry: 'never',
    status: 401,
    what: 'The API key is missing, unknown or revoked.',
    todo: 'Send `authorization: Bearer KEY`; make one with `millrace key create --scope SCOPE`.',
  },
  AUTH_LOGIN_NEEDED: {
    retry: 'never',
    status: 401,
    what: 'You are not logged in, or your session has ended.',
    todo: 'Log in at /login.',
  },
  AUTH_PASSWORD_WRONG: {
    retry: 'never',
    status: 401,
    what: 'User name or password is wrong.',
    todo: 'Try again, or set a new one with `millrace password reset`.',
  },
  AUTH_ROLE_MISSING: {
    retry: 'never',
    status: 403,
    what: 'Your account may look but not change anything.',
    todo: 'Ask an operator or an admin.',
  },
  AUTH_SCOPE_MISSING: {
    retry: 'never',
    status: 403,
    what: 'The API key does not have the scope that this route needs.',
    todo: 'Make a key with that scope: `millrace key create --scope SCOPE`.',
  },
  AUTH_TOO_MANY_ATTEMPTS: {
    retry: 'later',
    status: 429,
    what: 'Too many failed logins.',
    todo: 'Wait for the seconds in `details.retryAfterSeconds`, or set a new password with `millrace password reset`.',
  },
  CONFIG_INVALID: {
    retry: 'never',
    status: 500,
    what: 'The configuration is not valid.',
    todo: 'Mend these settings.',
  },
  CONSENT_CHANGED: {
    retry: 'backoff',
    status: 409,
    what: 'Consents were withdrawn while the run was at work, and its kind publishes nothing that they went into.',
    todo: 'Nothing: the next attempt leaves these people out.',
  },
  CONSENT_MISSING: {
    retry: 'never',
    status: 403,
    what: 'Nobody concerned has given consent for this purpose.',
    todo: 'Import consents, or leave these people out.',
  },
  INTERNAL: {
    retry: 'backoff',
    status: 500,
    what: 'Something unexpected went wrong.',
    todo: 'See the log of the run; report it if it stays.',
  },
  KEY_WRONG: {
    retry: 'never',
    status: 500,
    what: 'A key is not the one that this database was written with.',
    todo: 'Give the key that `details` names, or name another database with MILLRACE_DATABASE; nothing has been written.',
  },
  MASTER_KEY_MISSING: {
    retry: 'later',
    status: 503,
    what: 'Something is encrypted under a master key that this process does not have.',
    todo: 'Give that key behind the current one (docs/operating.md says how) and start again; `millrace keys rotate` makes it dispensable.',
  },
  MASTER_KEY_NOT_CURRENT: {
    retry: 'later',
    status: 409,
    what: 'This worker wraps with another master key than the one that the rotation is to.',
    todo: 'Start every process with the new key first and the old one behind it, then rotate again.',
  },
  NOT_FOUND: { retry: 'never', status: 404, what: 'There is nothing under that name.', todo: 'Check the name.' },
  NOTICE_MISSING: {
    retry: 'never',
    status: 409,
    what: 'This deployment has not said who it is, so a person cannot be told to whom they consent.',
    todo: 'Say it once: `millrace organisation set FILE`; docs/privacy.md has an example.',
  },
  PERSON_ERASED: {
    retry: 'never',
    status: 410,
    what: 'The person was erased: nothing about them goes in.',
    todo: 'If they have come back, `millrace person readmit USER` takes them off the list, and they are asked for consent anew.',
  },
  PERSON_UNKNOWN: {
    retry: 'never',
    status: 404,
    what: 'Nothing is held of that person and they have said nothing before, so there is nothing to withdraw.',
    todo: 'Check the id; where their consent is still on its way, send the withdrawal after it.',
  },
  PORT_BUSY: {
    retry: 'never',
    status: 500,
    what: 'A port is in use by another program.',
    todo: 'Stop that program, or set another port.',
  },
  SERVICE_UNAVAILABLE: {
    retry: 'backoff',
    status: 503,
    what: 'A service that is needed does not answer.',
    todo: 'Start everything with `npm start`, or set REDIS_URL and MONGODB_URL.',
  },
  TLS_FAILED: {
    retry: 'backoff',
    status: 503,
    what: 'A service could not be reached by TLS.',
    todo: 'Mend the certificates; docs/operating.md says how they are set.',
  },
  USAGE: { retry: 'never', status: 400, what: 'The command was not understood.', todo: 'See `millrace --help`.' },
} as const satisfies Record<string, ErrorCode>;
