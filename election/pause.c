#include "election/pause.h"

#include "election/plat.h"

int64_t pause_between(int64_t low_ms, int64_t high_ms)
{
	uint32_t dice;

	plat_random(&dice, sizeof(dice));
	return low_ms + (int64_t)(dice % (uint64_t)(high_ms - low_ms + 1));
}

int64_t pause_take(struct pause *p)
{
	int64_t ms = p->next_ms > 0 ? p->next_ms : p->first_ms;

	p->next_ms = ms * 2 < p->last_ms ? ms * 2 : p->last_ms;
	return pause_between(ms * 3 / 4, ms * 5 / 4);
}

void pause_reset(struct pause *p)
{
	p->next_ms = 0;
}
