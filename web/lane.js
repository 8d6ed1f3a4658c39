// Keeps questions in order: one in flight, one waiting, the newest one wins.

// A healthy answer takes milliseconds. Past this, a newer question no longer
// waits for the old answer but aborts it.
const PATIENCE_MS = 250;

/**
 * A question is sent at once when nothing is in flight; otherwise it waits for
 * the answer on its way, for PATIENCE_MS at most, and replaces any question
 * that waits already. Fast servers thus answer every key, slow ones as many as
 * they can. Only the flight of the moment hands over its answer: what comes
 * from an older one is dropped, even where its abort came too late.
 */
export class Lane {
  /**
   * @param {function(Q, !AbortSignal): !Promise<A>} send
   * @param {function(Q, A)} onAnswer
   * @param {function(Q, !Error)} onError Not called when a newer question
   *     waits: that one may well succeed.
   */
  constructor(send, onAnswer, onError) {
    this.send_ = send;
    this.onAnswer_ = onAnswer;
    this.onError_ = onError;
    this.flight_ = null;   // {abort: AbortController, sentMs: number}
    this.waiting_ = null;  // {question: Q}
    this.timer_ = 0;
  }

  ask(question) {
    this.waiting_ = {question};
    if (!this.flight_) {
      this.sendWaiting_();
      return;
    }
    const age = performance.now() - this.flight_.sentMs;
    clearTimeout(this.timer_);
    this.timer_ =
        setTimeout(() => this.sendWaiting_(), Math.max(0, PATIENCE_MS - age));
  }

  /** Forgets every question asked so far. */
  cancel() {
    clearTimeout(this.timer_);
    this.flight_?.abort.abort();
    this.flight_ = null;
    this.waiting_ = null;
  }

  async sendWaiting_() {
    clearTimeout(this.timer_);
    if (!this.waiting_) return;
    this.flight_?.abort.abort();
    const {question} = this.waiting_;
    const flight = {abort: new AbortController(), sentMs: performance.now()};
    this.waiting_ = null;
    this.flight_ = flight;
    let answer = null;
    let failure = null;
    try {
      answer = await this.send_(question, flight.abort.signal);
    } catch (error) {
      failure = error;
    }
    if (this.flight_ !== flight) return;
    this.flight_ = null;
    if (!failure) {
      this.onAnswer_(question, answer);
    } else if (!this.waiting_) {
      this.onError_(question, failure);
    }
    this.sendWaiting_();
  }
}
