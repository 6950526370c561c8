/*
 * successor: what the host hears when another daemon takes over.
 *
 * Texts for the host, a message a line.  No I/O, no state.
 */
#ifndef ADAPTER_SUCCESSOR_H
#define ADAPTER_SUCCESSOR_H

struct asked;
struct buf;
struct setup;

/* What the last daemon asked of the host is not wanted any more: forget it,
 * and append that. */
void successor_withdraw(struct asked *asked, struct buf *lines);

/* Append that what the host knows may have changed. */
void successor_announce(const struct setup *setup, struct buf *lines);

#endif
