// The keys: / ↑ ↓ Enter Shift+Enter Esc, in the search bar, its list and the results.

/**
 * @param {!HTMLInputElement} input
 * @param {!Suggestions} suggestions
 * @param {{submit: function(), submitAsTyped: function(), clear: function()}}
 *     actions
 */
export function bindKeys(input, suggestions, actions) {
  input.addEventListener('keydown', (event) => {
    // Keys that choose among an input method's candidates are not ours.
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const handler = INPUT_KEYS[event.key];
    if (handler?.(input, suggestions, actions, event)) event.preventDefault();
  });
  document.addEventListener('keydown', (event) => {
    if (event.target === input || event.ctrlKey || event.metaKey) return;
    if (event.key === '/' && !isEditable(event.target)) {
      input.focus();
      input.select();
      event.preventDefault();
    } else if (moveAmongHits(event, input)) {
      event.preventDefault();
    }
  });
}

// Each returns whether it used the key.
const INPUT_KEYS = {
  ArrowDown(input, suggestions, actions, event) {
    if (suggestions.isOpen) {
      suggestions.move(1);
    } else if (event.altKey) {
      suggestions.reopen();
    } else {
      hits()[0]?.focus();
    }
    return true;
  },
  ArrowUp(input, suggestions) {
    if (!suggestions.isOpen) return false;
    suggestions.move(-1);
    return true;
  },
  Enter(input, suggestions, actions, event) {
    if (event.shiftKey) {
      actions.submitAsTyped();
    } else if (!suggestions.pickActive()) {
      actions.submit();
    }
    return true;
  },
  Escape(input, suggestions, actions) {
    if (suggestions.isOpen) {
      suggestions.close();
    } else {
      actions.clear();
    }
    return true;
  },
  Tab(input, suggestions) {
    suggestions.close();
    return false;
  },
};

function moveAmongHits(event, input) {
  const all = hits();
  const index = all.indexOf(event.target);
  if (index < 0) return false;
  if (event.key === 'ArrowDown') {
    all[index + 1]?.focus();
  } else if (event.key === 'ArrowUp') {
    (all[index - 1] ?? input).focus();
  } else if (event.key === 'Escape') {
    input.focus();
  } else {
    return false;
  }
  return true;
}

function hits() {
  return [...document.querySelectorAll('#results .hit')];
}

function isEditable(node) {
  return node.isContentEditable ||
      ['INPUT', 'TEXTAREA', 'SELECT'].includes(node.tagName);
}
