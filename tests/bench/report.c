#include "report.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "proto/mem.h"

enum { ROWS = 256 };

static struct row rows[ROWS];
static size_t row_count;

/* --- samples ---------------------------------------------------------------
 */

void samples_add(struct samples *s, double value)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->values = mem_grow(s->values, s->cap * sizeof(double));
	}
	s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_at(struct samples *s, double share)
{
	if (s->count == 0)
		return 0;
	qsort(s->values, s->count, sizeof(double), by_value);
	return s->values[(size_t)((double)(s->count - 1) * share + 0.5)];
}

void samples_finish(struct samples *s)
{
	free(s->values);
	*s = (struct samples){0};
}

/* --- rows ------------------------------------------------------------------
 */

void report_add(const struct row *row)
{
	assert(row_count < ROWS);
	rows[row_count++] = *row;
}

void report_samples(struct row row, struct samples *s, struct samples *floor)
{
	row.value = samples_at(s, 0.5);
	row.low = samples_at(s, 0.25);
	row.high = samples_at(s, 0.75);
	if (floor)
		row.floor = samples_at(floor, 0.5);
	report_add(&row);
}

static double ratio(const struct row *r)
{
	return r->floor > 0 ? r->value / r->floor : r->value;
}

static bool misses(const struct row *r)
{
	return (r->aim > 0 && ratio(r) > r->aim) ||
	       (r->aim < 0 && ratio(r) < -r->aim);
}

void report_print(FILE *to)
{
	const char *axis = "";

	fprintf(to, "%-9s %-42s %10s %19s  %s\n", "axis", "what", "median",
		"quartiles", "against its floor");
	for (size_t i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];
		char spread[40] = "";
		char aim[40] = "";

		if (r->high > 0)
			snprintf(spread, sizeof(spread), "%.4g..%.4g", r->low,
				 r->high);
		if (r->aim != 0)
			snprintf(aim, sizeof(aim), "aim %s %g%s",
				 r->aim > 0 ? "<=" : ">=", fabs(r->aim),
				 misses(r) ? " MISSED" : "");
		fprintf(to, "%-9s %-42s %10.4g %-5s %13s",
			strcmp(axis, r->axis) == 0 ? "" : r->axis, r->what,
			r->value, r->unit, spread);
		axis = r->axis;
		if (r->floor_what)
			fprintf(to, "  %.3gx of %.4g (%s)", ratio(r), r->floor,
				r->floor_what);
		fprintf(to, "%s%s\n", aim[0] ? "  " : "", aim);
	}
}

/* --- the machine ------------------------------------------------------------
 */

struct machine {
	struct utsname name;
	char model[80];
	char day[16];
	double load;
	double gib;
	long cpus;
};

static struct machine describe_machine(void)
{
	struct machine m = {.load = -1, .model = "unknown processor"};
	FILE *from = fopen("/proc/cpuinfo", "re");
	time_t now = time(NULL);
	char line[256];
	struct tm day;

	while (from && fgets(line, sizeof(line), from))
		if (sscanf(line, "model name : %79[^\n]", m.model) == 1)
			break;
	if (from)
		fclose(from);
	uname(&m.name);
	getloadavg(&m.load, 1);
	m.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	m.gib = (double)sysconf(_SC_PHYS_PAGES) *
		(double)sysconf(_SC_PAGESIZE) / (1 << 30);
	strftime(m.day, sizeof(m.day), "%Y-%m-%d", gmtime_r(&now, &day));
	return m;
}

void report_machine(FILE *to)
{
	struct machine m = describe_machine();

	fprintf(to,
		"%s: %ld CPUs (%s), %.0f GiB, %s %s, compiler %s, load at the "
		"end %.1f\n",
		m.day, m.cpus, m.model, m.gib, m.name.sysname, m.name.release,
		__VERSION__, m.load);
}

void report_markdown(FILE *to)
{
	const char *axis = "";

	report_machine(to);
	fputs("\n| axis | what | median | quartiles | floor | ratio | aim |\n"
	      "|---|---|---|---|---|---|---|\n",
	      to);
	for (size_t i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];
		bool same = strcmp(axis, r->axis) == 0;

		axis = r->axis;
		fprintf(to, "| %s | %s | %.4g %s |", same ? "" : axis, r->what,
			r->value, r->unit);
		if (r->high > 0)
			fprintf(to, " %.4g to %.4g |", r->low, r->high);
		else
			fputs(" |", to);
		if (r->floor_what)
			fprintf(to, " %.4g, %s | %s%.3g%s |", r->floor,
				r->floor_what, misses(r) ? "**" : "", ratio(r),
				misses(r) ? "**" : "");
		else
			fputs(" | |", to);
		if (r->aim != 0)
			fprintf(to, " %s %g |\n",
				r->aim > 0 ? "at most" : "at least",
				fabs(r->aim));
		else
			fputs(" |\n", to);
	}
}

void report_json(FILE *to)
{
	struct machine m = describe_machine();

	fprintf(to,
		"{\"machine\":{\"day\":\"%s\",\"cpus\":%ld,\"model\":"
		"\"%s\",\"gib\":%.0f,\"kernel\":\"%s\",\"arch\":\"%s\","
		"\"compiler\":\"%s\",\"load\":%.2f},\n\"figures\":[\n",
		m.day, m.cpus, m.model, m.gib, m.name.release, m.name.machine,
		__VERSION__, m.load);
	for (size_t i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];

		fprintf(to,
			"{\"axis\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\","
			"\"value\":%.6g,\"low\":%.6g,\"high\":%.6g",
			r->axis, r->what, r->unit, r->value, r->low, r->high);
		if (r->floor_what)
			fprintf(to,
				",\"floor\":%.6g,\"floor_what\":\"%s\","
				"\"ratio\":%.4g",
				r->floor, r->floor_what, ratio(r));
		if (r->aim != 0)
			fprintf(to, ",\"aim\":%g,\"met\":%s", r->aim,
				misses(r) ? "false" : "true");
		fprintf(to, "}%s\n", i + 1 < row_count ? "," : "");
	}
	fputs("]}\n", to);
}
