/*
 * report: samples and their medians, and the table of what was measured.
 */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include <stddef.h>
#include <stdio.h>

/* A zeroed struct is empty. */
struct samples {
	double *values;
	size_t count;
	size_t cap;
};

void samples_add(struct samples *s, double value);
/* The value below which that share of them lies, 0 to 1. */
double samples_at(struct samples *s, double share);
void samples_finish(struct samples *s);

/* One figure.  Texts are literals. */
struct row {
	const char *axis;
	const char *what;
	const char *unit;
	double value;
	double low; /* the spread: quartiles; both 0 for none */
	double high;
	double floor;		/* measured in the same rounds; 0 for none */
	const char *floor_what; /* NULL when there is none */
	/* What value/floor (value, when there is no floor) should be at most,
	 * or at least when it is negative; 0 for no aim. */
	double aim;
};

void report_add(const struct row *row);
/* The same from samples: the median and quartiles. */
void report_samples(struct row row, struct samples *s, struct samples *floor);
/* A line: the day, the machine and how busy it is. */
void report_machine(FILE *to);
void report_print(FILE *to);
void report_markdown(FILE *to); /* with that line */
void report_json(FILE *to);

#endif
