/** What the page knows of the running system, kept fresh from the stream. */

import { changes } from './announce';
import { ApiError, api, decodeState } from './api';
import { HistoryBuffer } from './history';
import type { SystemView } from './view';

/** `connecting`: nothing shown yet. `live`: snapshots come. `lost`: they came, and stopped. `paused`: the reader stopped them. */
export type Connection = 'connecting' | 'live' | 'lost' | 'paused';

/** From this age on, data is late, and then stale, in seconds. */
export const LATE_SECONDS = 5;
export const STALE_SECONDS = 15;

/** Waits between attempts to connect, in milliseconds; the last one repeats. */
const RETRY_MS = [1000, 2000, 4000, 8000];

/** A stream that is silent for this long is opened anew. */
const SILENCE_MS = 20_000;

/** A hidden page gives its connection back after this long: a browser has only six for one daemon. */
const HIDDEN_MS = 5000;

/** Spoken news come at most this often. */
const NEWS_MS = 10_000;

class Live {
  /** The newest snapshot that the page shows. */
  view = $state.raw<SystemView | null>(null);
  /** Why there is no snapshot, or why the last attempt failed. */
  failure = $state.raw<ApiError | null>(null);
  /** Counts changes of `history`, which is too large to be watched value by value. */
  historyVersion = $state(0);
  /** Why the charts start empty, when they do. */
  historyFailure = $state.raw<ApiError | null>(null);
  paused = $state(false);
  /** The page's clock, in steps of half a second. */
  clock = $state(Date.now());
  /** What screen readers are told. */
  news = $state('');

  readonly history = new HistoryBuffer();

  #receivedAt = $state(0);
  #connected = $state(false);
  #source: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #heardAt = 0;
  #newest: SystemView | null = null;
  #told: { view: SystemView; at: number } | null = null;

  /** Seconds since the newest data came; 0 before the first. */
  get age(): number {
    return this.#receivedAt === 0 ? 0 : Math.max(0, (this.clock - this.#receivedAt) / 1000);
  }

  get connection(): Connection {
    if (this.view === null) return 'connecting';
    if (this.paused) return 'paused';
    return this.#connected && this.age <= STALE_SECONDS ? 'live' : 'lost';
  }

  /** How the age of the data is judged. */
  get freshness(): 'fresh' | 'late' | 'stale' {
    if (this.age > STALE_SECONDS) return 'stale';
    return this.age > LATE_SECONDS ? 'late' : 'fresh';
  }

  /** The time of the snapshot, by the daemon's clock: ages of what is in it are relative to that. */
  get now(): number {
    return this.view?.time_ms ?? this.clock;
  }

  start(): void {
    setInterval(() => this.#tick(), 500);
    document.addEventListener('visibilitychange', () => this.#visibility());
    this.#connect();
  }

  /** Freezes the page, or lets it go on with the newest snapshot. */
  togglePause(): void {
    this.paused = !this.paused;
    if (!this.paused && this.#newest !== null) this.view = this.#newest;
  }

  /** Tries again now. */
  retry(): void {
    this.#attempts = 0;
    this.#connect();
  }

  #tick(): void {
    this.clock = Date.now();
    if (this.#source !== null && this.clock - this.#heardAt > SILENCE_MS) this.#again(null);
  }

  #visibility(): void {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => this.#disconnect(), HIDDEN_MS);
    } else if (this.#source === null) {
      this.retry();
    }
  }

  #disconnect(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
    this.#connected = false;
  }

  #connect(): void {
    this.#disconnect();
    this.#heardAt = Date.now();
    void this.#loadHistory();
    const source = api.stream();
    this.#source = source;
    source.addEventListener('open', () => (this.#connected = true));
    source.addEventListener('state', (message: MessageEvent<string>) => this.#receive(message.data));
    source.addEventListener('error', () => void this.#diagnose(source));
  }

  #receive(data: string): void {
    this.#heardAt = Date.now();
    try {
      this.#apply(decodeState(JSON.parse(data)));
      this.#attempts = 0;
      this.#connected = true;
      this.failure = null;
    } catch (problem) {
      this.failure = problem instanceof ApiError ? problem : new ApiError('unreadable', 'The daemon sent something that is not JSON.', null, 200);
    }
  }

  #apply(view: SystemView): void {
    // A daemon whose clock stands still sends the same snapshot again: that is not new data.
    if (view.time_ms !== this.#newest?.time_ms) this.#receivedAt = this.clock = Date.now();
    this.#newest = view;
    this.history.append(view);
    if (this.paused) return;
    this.historyVersion += 1;
    this.view = view;
    this.#tell(view);
  }

  #tell(view: SystemView): void {
    const now = Date.now();
    if (this.#told === null) this.#told = { view, at: 0 };
    if (now - this.#told.at < NEWS_MS) return;
    const news = changes(this.#told.view, view);
    if (news !== null) this.news = news;
    this.#told = { view, at: news === null ? 0 : now };
  }

  /** An event stream does not say why it failed; a plain request does. */
  async #diagnose(source: EventSource): Promise<void> {
    if (source !== this.#source) return;
    this.#disconnect();
    let failure: ApiError | null = null;
    try {
      const view = await api.state();
      // After a restart the clock may have gone back; what counts is that it answers.
      this.#apply(view);
    } catch (problem) {
      failure = problem instanceof ApiError ? problem : null;
    }
    this.#again(failure);
  }

  #again(failure: ApiError | null): void {
    this.#disconnect();
    this.failure = failure;
    const wait = RETRY_MS[Math.min(this.#attempts, RETRY_MS.length - 1)];
    this.#attempts += 1;
    if (!document.hidden) this.#retry = setTimeout(() => this.#connect(), wait);
  }

  async #loadHistory(): Promise<void> {
    try {
      this.history.load(await api.history());
      if (this.#newest !== null) this.history.append(this.#newest);
      this.historyFailure = null;
    } catch (problem) {
      this.historyFailure = problem instanceof ApiError ? problem : null;
    }
    this.historyVersion += 1;
  }
}

export const live = new Live();
