#include "server/mcp/uritemplate.h"

#include <stdlib.h>

#include "proto/mem.h"

enum { EXPRESSIONS = 64 };

/* Where in the URI a match of what was read of the template may end: one byte
 * for each place, from 0 to the length. */
struct places {
	char *may_end;
	struct slice uri;
};

/* RFC 6570, 3.2.2, Simple String Expansion: what is not unreserved is
 * percent-encoded.  Clients are not so strict: only what divides a URI ends
 * a value. */
static bool is_simple(char c)
{
	return c != '/' && c != '?' && c != '#';
}

static bool match_literal(struct places *p, struct slice literal)
{
	size_t len = p->uri.len;
	bool any = false;

	/* From the end, since each place is read before it is written. */
	for (size_t at = len + 1; at-- > 0;) {
		p->may_end[at] = at >= literal.len &&
				 p->may_end[at - literal.len] &&
				 memcmp(p->uri.ptr + at - literal.len,
					literal.ptr, literal.len) == 0;
		any = any || p->may_end[at];
	}
	return any;
}

/* From every place at least `least` characters further, all of them simple or
 * any at all. */
static bool match_value(struct places *p, bool simple, bool least)
{
	bool open = false; /* a value has begun before this place */
	bool any = false;

	for (size_t at = 0; at <= p->uri.len; at++) {
		bool begins = p->may_end[at];

		if (at > 0 && simple && !is_simple(p->uri.ptr[at - 1]))
			open = false;
		p->may_end[at] = open || (begins && !least);
		open = open || begins;
		any = any || p->may_end[at];
	}
	return any;
}

/* "#value", or nothing at all. */
static bool match_fragment(struct places *p)
{
	bool open = false;
	bool any = false;

	for (size_t at = 0; at <= p->uri.len; at++) {
		bool begins = at < p->uri.len && p->may_end[at] &&
			      p->uri.ptr[at] == '#';

		p->may_end[at] = p->may_end[at] || open;
		open = open || begins;
		any = any || p->may_end[at];
	}
	return any;
}

static bool match_expression(struct places *p, char operator)
{
	switch (operator) {
	case '+':
		return match_value(p, false, true);
	case '#':
		return match_fragment(p);
	case '.':
	case '/':
	case ';':
	case '?':
	case '&':
		return match_value(p, false, false);
	default:
		return match_value(p, true, true);
	}
}

static bool match(struct places *p, struct slice pattern)
{
	const char *at = pattern.ptr;
	const char *end = pattern.ptr + pattern.len;
	unsigned expressions = 0;

	while (at < end) {
		const char *open = memchr(at, '{', (size_t)(end - at));
		const char *close =
			open ? memchr(open, '}', (size_t)(end - open)) : NULL;
		const char *stop = open ? open : end;

		if (open && (!close || close == open + 1 ||
			     ++expressions > EXPRESSIONS))
			return false;
		if (!match_literal(p, (struct slice){at, (size_t)(stop - at)}))
			return false;
		if (open && !match_expression(p, open[1]))
			return false;
		at = open ? close + 1 : end;
	}
	return p->may_end[p->uri.len];
}

bool uritemplate_matches(struct slice pattern, struct slice uri)
{
	struct places p = {mem_zalloc(uri.len + 1), uri};

	p.may_end[0] = 1;
	bool found = match(&p, pattern);
	free(p.may_end);
	return found;
}
