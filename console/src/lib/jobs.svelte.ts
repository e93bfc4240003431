/** The redrive jobs that the page shows, and what an operator does with them. */

import { type ApiError, api, type Turn } from './api';
import { asApiError } from './letters.svelte';
import type { RedriveJob } from './view';

export class JobList {
  jobs = $state.raw<RedriveJob[]>([]);
  failure = $state.raw<ApiError | null>(null);

  /** Counts loads, so that a slow answer never overwrites a newer one. */
  #turn = 0;

  /** Whether any of them may still change by itself. */
  get moves(): boolean {
    return this.jobs.some((job) => job.state === 'running' || job.sent > 0);
  }

  async load(): Promise<void> {
    const turn = ++this.#turn;
    try {
      const jobs = await api.jobs();
      if (turn !== this.#turn) return;
      this.jobs = jobs;
      this.failure = null;
    } catch (problem) {
      if (turn === this.#turn) this.failure = asApiError(problem);
    }
  }

  async turn(id: number, turn: Turn): Promise<void> {
    try {
      await api.turnJob(id, turn);
    } catch (problem) {
      await this.load();
      this.failure = asApiError(problem);
      return;
    }
    await this.load();
  }
}
