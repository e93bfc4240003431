/** The dead letters that the page shows: groups, a list, and its filter. */

import { ApiError, LETTERS_PER_PAGE, api } from './api';
import type { DeadLetter, DeadLetterGroup } from './view';

/** Which letters; `null` is all. */
export interface LetterFilter {
  consumer: string | null;
  group: string | null;
}

export class LetterList {
  groups = $state.raw<DeadLetterGroup[]>([]);
  letters = $state.raw<DeadLetter[]>([]);
  /** How many the filter has in all. */
  total = $state(0);
  loaded = $state(false);
  loading = $state(false);
  failure = $state.raw<ApiError | null>(null);

  /** Counts loads, so that a slow answer never overwrites a newer one. */
  #turn = 0;

  /** Loads again, as many as are shown now. */
  async load(filter: LetterFilter): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const limit = Math.max(LETTERS_PER_PAGE, Math.min(this.letters.length, 5 * LETTERS_PER_PAGE));
      const [page, all] = await Promise.all([
        api.letters({ ...filter, limit }),
        // Groups stay in sight while one of them is chosen.
        filter.group === null ? null : api.letters({ consumer: filter.consumer, limit: 1 }),
      ]);
      if (turn !== this.#turn) return;
      this.letters = page.letters;
      this.total = page.total;
      this.groups = (all ?? page).groups;
      this.failure = null;
      this.loaded = true;
    } catch (problem) {
      if (turn === this.#turn) this.failure = asApiError(problem);
    }
    if (turn === this.#turn) this.loading = false;
  }

  /** Adds the next page. */
  async more(filter: LetterFilter): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const page = await api.letters({ ...filter, after: this.letters.at(-1)?.id ?? null });
      if (turn !== this.#turn) return;
      const known = new Set(this.letters.map((letter) => letter.id));
      this.letters = [...this.letters, ...page.letters.filter((letter) => !known.has(letter.id))];
      this.total = page.total;
      this.failure = null;
    } catch (problem) {
      if (turn === this.#turn) this.failure = asApiError(problem);
    }
    if (turn === this.#turn) this.loading = false;
  }
}

/** Any failure, in words. */
export function asApiError(problem: unknown): ApiError {
  if (problem instanceof ApiError) return problem;
  return new ApiError('console', problem instanceof Error ? problem.message : String(problem), null, 0);
}
