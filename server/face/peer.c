#include "server/face/peer.h"

#include <ev.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/err.h"
#include "proto/h2.h"
#include "proto/list.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/face/call.h"
#include "server/face/door.h"

struct peers {
	struct ev_loop *loop;
	struct services *services;
	struct h2_limits limits;
	const struct door *door; /* NULL: whoever is connected may call */
	double patience_s;
	struct list list; /* of struct peer */
	size_t count;
	uint64_t next;
	size_t gone; /* since memory was given back */
};

/* Owned by peers, in its list. */
struct peer {
	struct peers *all;
	ev_timer patience; /* until the first call that may enter */
	bool refused;	   /* said so already */
	struct list link;
	struct h2 *h2;
	uint64_t number;
	bool local; /* on this machine for sure */
};

static void forget(struct peer *p)
{
	struct peers *all = p->all;

	list_remove(&p->link);
	all->count--;
	ev_timer_stop(all->loop, &p->patience);
	h2_free(p->h2);
	free(p);
	/* After a crowd the heap is mostly holes; each of many that leave pays
	 * for as many as stay. */
	if (++all->gone < all->count)
		return;
	all->gone = 0;
	mem_trim();
}

static bool is_local(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       domain == AF_UNIX;
}

/* A request's headers are complete. */
static void peer_on_stream(void *owner, struct h2_stream *s,
			   const struct h2_headers *headers)
{
	struct peer *p = owner;

	call_open(p->all->loop, p->all->services, s, headers, p->local);
}

static void refuse(struct peer *p, struct h2_stream *s, const struct err *why)
{
	/* Once for each connection: the log is no place for a peer to fill. */
	if (!p->refused)
		log_odd("peer", "n=%llu refused reason=%s %s",
			(unsigned long long)p->number, err_name(why->reason),
			why->text);
	p->refused = true;
	door_refuse(s, why);
}

/* The same, and it may not be let in. */
static void peer_on_request(void *owner, struct h2_stream *s,
			    const struct h2_headers *headers)
{
	struct peer *p = owner;
	const struct peers *all = p->all;
	struct err e;

	if (all->door && !door_admit(all->door, all->services, headers, &e)) {
		refuse(p, s, &e);
		return;
	}
	ev_timer_stop(all->loop, &p->patience);
	peer_on_stream(owner, s, headers);
}

static void on_impatient(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	(void)revents;
	log_info("peer", "n=%llu brought no token, and is closed",
		 (unsigned long long)p->number);
	h2_drain(p->h2);
}

static void peer_on_down(void *owner, const struct err *why)
{
	struct peer *p = owner;

	if (why && why->reason != ERR_NONE)
		log_info("peer", "n=%llu closed reason=%s %s",
			 (unsigned long long)p->number, err_name(why->reason),
			 why->text);
	else
		log_debug("peer", "n=%llu closed",
			  (unsigned long long)p->number);
	forget(p);
}

static const struct h2_events events = {
	.request = peer_on_request,
	.down = peer_on_down,
};

struct peers *peers_new(struct ev_loop *loop, struct services *services,
			const struct h2_limits *limits)
{
	struct peers *all = mem_zalloc(sizeof(*all));

	all->loop = loop;
	all->services = services;
	all->limits = *limits;
	list_init(&all->list);
	return all;
}

void peers_guard(struct peers *all, const struct door *door, double patience_s)
{
	all->door = door;
	all->patience_s = patience_s;
}

void peers_add(struct peers *all, int fd)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	p->all = all;
	p->number = ++all->next;
	p->local = is_local(fd);
	list_append(&all->list, &p->link);
	all->count++;
	log_debug("peer", "n=%llu connected", (unsigned long long)p->number);
	p->h2 = h2_new_server(all->loop, fd, &all->limits, &events, p);
	ev_timer_init(&p->patience, on_impatient, all->patience_s, 0.);
	p->patience.data = p;
	if (all->door)
		ev_timer_start(all->loop, &p->patience);
}

size_t peers_count(const struct peers *all)
{
	return all->count;
}

size_t peers_streams(const struct peers *all)
{
	size_t count = 0;

	for (struct list *l = all->list.next; l != &all->list; l = l->next)
		count += h2_streams(LIST_ITEM(l, struct peer, link)->h2);
	return count;
}

void peers_drain(struct peers *all)
{
	struct list *next;

	/* One may be over, and forgotten, as soon as it drains. */
	for (struct list *l = all->list.next; l != &all->list; l = next) {
		struct peer *p = LIST_ITEM(l, struct peer, link);

		next = l->next;
		h2_flush(p->h2); /* nghttp2 lets a GOAWAY overtake DATA */
		h2_drain(p->h2);
	}
}

void peers_close(struct peers *all)
{
	while (!list_empty(&all->list))
		forget(LIST_ITEM(list_pop(&all->list), struct peer, link));
}

void peers_free(struct peers *all)
{
	if (!all)
		return;
	peers_close(all);
	free(all);
}
