/*
 * fake_source.h: what the parts of the fake MCP server know of each other.
 */
#ifndef TESTS_SUPPORT_FAKE_SOURCE_H
#define TESTS_SUPPORT_FAKE_SOURCE_H

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/jsonrpc.h"

#define SCHEMA "\"inputSchema\":{\"type\":\"object\"}"

/* A call to a tool has changed what the lists hold. */
extern bool fake_changed;

/* --- fake_say.c: what it is to be, and how it speaks --- */

void fake_be(int argc, char *const *argv);
bool fake_is(const char *mode);
long long fake_now_ms(void);
void fake_write(int fd, const char *bytes, size_t len);

/* A line at the end of the file that this variable names, if it does. */
void fake_append_to(const char *variable, struct slice line);

/* One message; it is consumed. */
void fake_say(struct buf *message);
void fake_say_text(const char *message);
void fake_answer(struct slice id, const char *result);
void fake_refuse(struct slice id, enum reason reason, const char *text);

/* --- fake_calls.c: its tools --- */

void fake_call(const struct jsonrpc *m);
void fake_cancelled(const struct jsonrpc *m);

/* Answer the calls that are due; how long until the next, or -1. */
int fake_answer_held(void);

/* How many tools there are, and how many of them most tests see. */
int fake_tools(void);
int fake_tools_listed(void);
void fake_append_tool(struct buf *result, int i);

/* --- fake_questions.c: tools that ask their client --- */

/* Ask {"method","params"}: as many as "parallel" at once, "rounds" times; after
 * the call was answered if "early"; take the question back at once if
 * "cancel".  The result holds the answers. */
void fake_ask(const struct jsonrpc *m, struct slice arguments);
void fake_complete(const struct jsonrpc *m, struct slice arguments);
void fake_answered(const struct jsonrpc *m);

/* --- fake_lists.c, fake_items.c --- */

void fake_list_tools(const struct jsonrpc *m);

/* What is no tool; false for a method that it does not know. */
bool fake_other(const struct jsonrpc *m);
const char *fake_capabilities(void);

#endif
