// What can be undone: states of the labels, the newest last.
"use strict";

const MOST_STATES = 40;

class History {
  // A state is { labels, scores, bandwidth }; states are never written into.
  constructor(state) {
    this.states = [state];
    this.at = 0;
  }
  get now() { return this.states[this.at]; }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.states.length - 1; }

  push(state) {
    this.states = [...this.states.slice(0, this.at + 1), state].slice(-MOST_STATES);
    this.at = this.states.length - 1;
  }

  // Puts `state` in the place of the present one: a slider that is still moving.
  replace(state) { this.states[this.at] = state; }
  undo() { if (this.canUndo) this.at--; return this.now; }
  redo() { if (this.canRedo) this.at++; return this.now; }
}
