#include "server/face/admin_offer.h"

#include <string.h>

#include "proto/err.h"
#include "proto/map.h"
#include "proto/protobuf.h"

enum { WORDS_MAX = 1024, ENV_MAX = 4096 };

static bool has_nul(ProtobufCBinaryData b)
{
	return b.len > 0 && memchr(b.data, '\0', b.len) != NULL;
}

/* What a C string cannot hold, and how many; what they mean is checked by the
 * router. */
static bool check_command(const Executor__Admin__V1__AddSourceRequest *asked,
			  struct err *e)
{
	if (asked->n_command > WORDS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "a command has at most %d words", WORDS_MAX);
	for (size_t i = 0; i < asked->n_command; i++)
		if (has_nul(asked->command[i]))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "word %zu of the command holds a NUL",
				       i);
	if (has_nul(asked->cwd))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the working directory holds a NUL");
	return true;
}

/* Values are secrets: no error shows one. */
static bool check_env(const Executor__Admin__V1__AddSourceRequest *asked,
		      struct err *e)
{
	if (asked->n_env > ENV_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "an environment has at most %d variables",
			       ENV_MAX);
	for (size_t i = 0; i < asked->n_env; i++)
		if (has_nul(asked->env[i]->value))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "the value of %.64s holds a NUL",
				       asked->env[i]->name);
	return true;
}

static void read_command(const Executor__Admin__V1__AddSourceRequest *asked,
			 struct view *v, struct stored_source *stored)
{
	const char **command =
		view_take(v, (asked->n_command + 1) * sizeof(*command));

	for (size_t i = 0; i < asked->n_command; i++)
		command[i] = view_bytes(v, protobuf_slice(asked->command[i]));
	stored->command = command;
	stored->cwd = view_bytes(v, protobuf_slice(asked->cwd));
}

/* A name that comes twice counts once, with its last value: what was asked for
 * stands behind what was captured. */
static bool read_env(const Executor__Admin__V1__AddSourceRequest *asked,
		     struct view *v, struct stored_source *stored,
		     struct err *e)
{
	struct stored_env *env =
		view_take(v, (asked->n_env + 1) * sizeof(*env));
	struct map by_name = {0};
	size_t count = 0;
	bool ok = false;

	for (size_t i = 0; i < asked->n_env; i++) {
		struct slice name = slice_of(asked->env[i]->name);
		struct stored_env *one = map_get(&by_name, name);

		if (!one) {
			one = &env[count++];
			one->name = view_bytes(v, name);
			map_put(&by_name, name, one);
		}
		one->value =
			view_bytes(v, protobuf_slice(asked->env[i]->value));
	}
	for (size_t i = 0; i < asked->n_env_names; i++) {
		struct stored_env *one =
			map_get(&by_name, slice_of(asked->env_names[i]));

		if (!one) {
			err_set(e, ERR_INVALID_ARGUMENT,
				"%.64s is asked for but not in the environment",
				asked->env_names[i]);
			goto out;
		}
		one->asked = true;
	}
	stored->env = env;
	stored->env_count = count;
	ok = true;
out:
	map_finish(&by_name);
	return ok;
}

/* Empty is what it is without being asked for: NULL. */
static const char *read_text(struct view *v, struct slice text)
{
	return text.len > 0 ? view_bytes(v, text) : NULL;
}

static bool check_roots(ProtobufCBinaryData roots, struct err *e)
{
	return !has_nul(roots) ||
	       err_set(e, ERR_INVALID_ARGUMENT, "the roots hold a NUL");
}

bool offer_read_change(const Executor__Admin__V1__SetSourceRequest *asked,
		       struct view *v, struct stored_change *change,
		       struct err *e)
{
	*change = (struct stored_change){
		.enabled = -1,
		.interactive = read_text(v, slice_of(asked->interactive)),
		.roots = read_text(v, protobuf_slice(asked->roots)),
	};
	if (asked->enabled ==
	    EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_ON)
		change->enabled = 1;
	if (asked->enabled ==
	    EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_OFF)
		change->enabled = 0;
	if (asked->trust_hints ==
	    EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_ON)
		change->trusted = 1;
	if (asked->trust_hints ==
	    EXECUTOR__ADMIN__V1__SET_SOURCE_REQUEST__SWITCH__SWITCH_OFF)
		change->trusted = -1;
	return check_roots(asked->roots, e);
}

bool offer_read(const Executor__Admin__V1__AddSourceRequest *asked,
		struct view *v, struct stored_source *stored, struct err *e)
{
	*stored = (struct stored_source){.name = asked->name};
	if (!check_command(asked, e) || !check_env(asked, e) ||
	    !check_roots(asked->roots, e))
		return false;
	stored->settings.interactive =
		read_text(v, slice_of(asked->interactive));
	stored->settings.roots = read_text(v, protobuf_slice(asked->roots));
	read_command(asked, v, stored);
	return read_env(asked, v, stored, e);
}
