/*
 * sibling: the path of a program that is installed beside this one.
 *
 * An adapter starts the daemon of its own installation, not whichever one
 * PATH happens to find first: some clients clear PATH, others change it.
 */
#ifndef ADAPTER_SIBLING_H
#define ADAPTER_SIBLING_H

/* The path of name beside the running executable, else beside argv0, else in
 * PATH; when it is nowhere, where it should have been.  The caller frees. */
char *sibling_path(const char *argv0, const char *name);

#endif
