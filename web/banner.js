// The message at the foot of the page, and the retries behind it.

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
// Many pages that lost the same server must not return in step.
const JITTER = 0.25;

export class Banner {
  /** @param {function()} onRetry Asks again what failed. */
  constructor(root, onRetry) {
    this.root_ = root;
    this.onRetry_ = onRetry;
    this.numFailures_ = 0;
    this.retryAtMs_ = 0;
    this.timer_ = 0;
    root.querySelector('button').addEventListener('click', () => this.retry_());
    window.addEventListener('online', () => this.timer_ && this.retry_());
  }

  /** Shows the message; tries again, later each time, where that can help. */
  showError(error) {
    this.stopRetrying();
    this.root_.querySelector('button').hidden = !error.isRetriable;
    this.say_(`${error.message}.`);
    if (!error.isRetriable) {
      this.tick_();
      return;
    }
    const backoff = Math.min(
        FIRST_DELAY_MS * 2 ** this.numFailures_++, MAX_DELAY_MS);
    const delay = Math.max(error.retryAfterMs, backoff);
    this.retryAtMs_ =
        performance.now() + delay * (1 + JITTER * Math.random());
    this.tick_();
  }

  /** Something else is being asked; its outcome decides. */
  stopRetrying() {
    clearTimeout(this.timer_);
    this.timer_ = 0;
    this.retryAtMs_ = 0;
  }

  hide() {
    this.stopRetrying();
    this.numFailures_ = 0;
    this.root_.hidden = true;
    this.say_('');
  }

  say_(message) {
    const alert = this.root_.querySelector('[role=alert]');
    if (message) this.root_.hidden = false;
    // Said once: a reader would repeat the same alert at every retry.
    if (alert.textContent !== message) alert.textContent = message;
  }

  tick_() {
    const countdown = this.root_.querySelector('.countdown');
    const leftMs = this.retryAtMs_ - performance.now();
    if (!this.retryAtMs_) {
      countdown.textContent = '';
    } else if (leftMs <= 0) {
      this.retry_();
    } else {
      const seconds = Math.ceil(leftMs / 1000);
      countdown.textContent = `Trying again in ${seconds} s`;
      this.timer_ = setTimeout(() => this.tick_(), leftMs % 1000 || 1000);
    }
  }

  retry_() {
    this.stopRetrying();
    this.root_.querySelector('.countdown').textContent = 'Trying …';
    this.onRetry_();
  }
}
