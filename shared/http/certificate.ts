/** Owns the certificate that gateway and dashboard show: read at the start, and again once its files have changed, without a restart. */
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import type { FastifyInstance } from 'fastify';
import { TLS_VERSION_MIN } from '../contract-kit/tls.ts';
import { AppError } from '../errors.ts';
import type { CertificateFiles } from '../tls-files.ts';

/** How often the files are looked at. */
const LOOK_EVERY_MS = 60_000;
/** Browsers come by TLS alone for so long: a year. */
const HSTS_SECONDS = 31_536_000;

const read = ({ cert, key }: CertificateFiles) =>
  ({ cert: readFileSync(cert), key: readFileSync(key), minVersion: TLS_VERSION_MIN }) as const;

/** Options of Fastify: nothing where no certificate is set. */
export const httpsOf = (files: CertificateFiles | undefined) => (files === undefined ? {} : { https: read(files) });

/** Option of the security headers. */
export const hstsOf = (files: CertificateFiles | undefined) =>
  files === undefined ? false : { maxAge: HSTS_SECONDS, includeSubDomains: false };

const changedAt = ({ cert, key }: CertificateFiles): string => `${statSync(cert).mtimeMs} ${statSync(key).mtimeMs}`;

/** Shows what the files hold now to whoever connects from now on. Throws CONFIG_INVALID, and goes on with what it had, where they do not fit together. */
export function renewCertificate(app: FastifyInstance, files: CertificateFiles): void {
  try {
    (app.server as unknown as Server).setSecureContext(read(files));
  } catch {
    // The library's words may quote the files.
    const problem = 'MILLRACE_TLS_CERT_FILE and MILLRACE_TLS_KEY_FILE hold no certificate and its key any more';
    throw new AppError('CONFIG_INVALID', {
      message: `${problem}; the one from before is shown.`,
      details: { problems: [problem] },
    });
  }
}

/** Looks at the files until the server is closed; one that is being written is looked at again. */
export function followCertificate(app: FastifyInstance, files: CertificateFiles | undefined): void {
  if (files === undefined) return;
  let shown = changedAt(files);
  const look = (): void => {
    try {
      const now = changedAt(files);
      if (now === shown) return;
      renewCertificate(app, files);
      shown = now;
      app.log.info('the certificate was renewed');
    } catch (thrown) {
      app.log.warn(
        { reason: thrown instanceof AppError ? thrown.code : 'unreadable' },
        'the certificate was not renewed',
      );
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  app.addHook('onClose', async () => clearInterval(timer));
}
