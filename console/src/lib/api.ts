/** The daemon's HTTP interface, typed. Addresses are relative, so that the console works behind a path prefix too. */

import { DecodeError, type Decoder } from './decode';
import {
  STATE_SCHEMA,
  history,
  letterDetail,
  letterPage,
  redriveJob,
  redriveJobs,
  redriveResult,
  system,
  type DeadLetterDetail,
  type DeadLetterPage,
  type History,
  type RedriveJob,
  type RedriveResult,
  type SystemView,
} from './view';

/** What went wrong with a request, in words for the page. */
export class ApiError extends Error {
  /** `unreachable`, `unreadable`, or the daemon's own code. */
  readonly code: string;
  /** What to do about it. */
  readonly hint: string | null;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(code: string, message: string, hint: string | null, status: number) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.hint = hint;
    this.status = status;
  }
}

/** What to redrive: single letters, one group, or all of a consumer. */
export type RedriveTarget =
  | { ids: string[] }
  | { consumer: string; group: string }
  | { consumer: string };

/** What an operator does with a redrive job. */
export type Turn = 'pause' | 'resume' | 'cancel';

/** Which dead letters to list. */
export interface LetterQuery {
  consumer?: string | null;
  group?: string | null;
  after?: string | null;
  limit?: number;
}

/** The most letters that one page of the list holds. */
export const LETTERS_PER_PAGE = 100;

/** Reads a snapshot; throws an `ApiError` when it is of another interface or not as promised. */
export function decodeState(json: unknown): SystemView {
  const found = (json as { schema?: unknown } | null)?.schema;
  if (typeof found === 'string' && found !== STATE_SCHEMA) {
    throw new ApiError(
      'unreadable',
      `The daemon speaks ${found}; this console reads ${STATE_SCHEMA}.`,
      'Reload the page: the daemon was probably updated.',
      200,
    );
  }
  return decode(system, json);
}

/** Reads an answer; a field that is not as promised becomes an `ApiError` that names it. */
export function decode<T>(decoder: Decoder<T>, json: unknown): T {
  try {
    return decoder(json, '');
  } catch (problem) {
    if (!(problem instanceof DecodeError)) throw problem;
    throw new ApiError(
      'unreadable',
      `The daemon sent something that this console cannot read: ${problem.message}.`,
      'Reload the page: the daemon was probably updated.',
      200,
    );
  }
}

/** Reads the daemon's error body; without one, says what the status means. */
export function decodeError(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; hint?: unknown } } | null)?.error;
  if (typeof error?.message !== 'string') {
    return new ApiError('http', `The daemon answered with status ${status}.`, null, status);
  }
  const code = typeof error.code === 'string' ? error.code : 'http';
  return new ApiError(code, error.message, typeof error.hint === 'string' ? error.hint : null, status);
}

async function request<T>(decoder: Decoder<T> | null, path: string, init?: RequestInit): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === 'AbortError') throw problem;
    throw new ApiError('unreachable', 'The daemon does not answer.', 'Check that it runs and that this address is still right.', 0);
  }
  const body: unknown = await answer.json().catch(() => null);
  if (!answer.ok) throw decodeError(answer.status, body);
  return decoder === null ? body : decode(decoder, body);
}

async function get<T>(decoder: Decoder<T>, path: string): Promise<T> {
  return (await request(decoder, path, { headers: { accept: 'application/json' } })) as T;
}

/** The path of a letter from its id `service/event/sequence`. */
export function letterPath(id: string): string {
  return `v1/dead-letters/${id.split('/').map(encodeURIComponent).join('/')}`;
}

/** The path of a list of letters. */
export function lettersPath(query: LetterQuery): string {
  const search = new URLSearchParams();
  if (query.consumer) search.set('consumer', query.consumer);
  if (query.group) search.set('group', query.group);
  search.set('limit', String(query.limit ?? LETTERS_PER_PAGE));
  if (query.after) search.set('after', query.after);
  return `v1/dead-letters?${search}`;
}

export const api = {
  /** One snapshot. */
  async state(): Promise<SystemView> {
    return decodeState(await request(null, 'v1/state'));
  },
  /** The last fifteen minutes. */
  history: (): Promise<History> => get(history, 'v1/history'),
  letters: (query: LetterQuery): Promise<DeadLetterPage> => get(letterPage, lettersPath(query)),
  letter: (id: string): Promise<DeadLetterDetail> => get(letterDetail, letterPath(id)),
  async redrive(target: RedriveTarget): Promise<RedriveResult> {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(target) };
    return (await request(redriveResult, 'v1/dead-letters/redrive', init)) as RedriveResult;
  },
  /** The redrive jobs that run, and the latest that have ended. */
  async jobs(): Promise<RedriveJob[]> {
    return ((await request(redriveJobs, 'v1/redrives')) as { redrives: RedriveJob[] }).redrives;
  },
  async turnJob(id: number, turn: Turn): Promise<RedriveJob> {
    return (await request(redriveJob, `v1/redrives/${id}/${turn}`, { method: 'POST' })) as RedriveJob;
  },
  /** Snapshots as they come, once a second. */
  stream: (): EventSource => new EventSource('v1/stream'),
};
