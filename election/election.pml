/* election.pml - how adapters and candidates elect one owner, attach to it, and have calls run at most once.
 * docs/election.md says what each step is in the code.  Change this first, and the code after it.
 *
 * Kernel objects
 *   olock    owner.lock: flock(2) held ONLY by a candidate/daemon process, from its first action
 *            until its death; released by the kernel; the file is never unlinked by us.
 *   slock    spawn.lock: flock(2) held by an adapter round the spawn. A herd damper ONLY: any
 *            adapter may run out of patience at any moment and spawn without it.
 *   pend[a]  a candidate process that adapter a has fork+exec'ed and that has not tried the lock
 *            yet (it lives on if a dies). A candidate that finds the lock held just exits.
 * Files      man  = manifest (tmp+rename: one atomic step), written/unlinked only by the owner
 * Database   epoch (bumped by each owner), req[] = durable call table keyed by idempotency key
 * Sockets    one unique socket name per epoch: listen_[epoch]
 *
 * Every system call is a step. kill -9 of any adapter, candidate or owner may fall between any two
 * steps; an owner's lock and sockets vanish as two separate events, in either order.
 * Retries by time are abstracted by "something changed" guards, patience by a free choice.
 * Not modelled, as they only slow things down: the breaker and every pause.
 *
 *  -DN=3 -DCRASHES=n (kill -9 budget) -DGRACE=n (idle shutdowns / upgrade drains)
 *  -DFREEZE=n (adapters SIGSTOPped for ever, anywhere)  -DRMLOCK=1 (owner.lock removed while held)
 *  -DLEAVE (an adapter may stop listening to its candidate at any moment, and the candidate goes on)
 *  mutations, each of which must be caught:
 *  -DM_CLIENT_UNLINK -DM_FD_LEAK -DM_NO_KEYS -DM_LATE_ACC -DM_LATE_UNLINK -DM_STRICT_S
 *  -DM_NO_HELLO (not needed for safety: passes) -DM_NO_FENCE -DM_NO_RECOVERY; see check-all for each one's switches
 */
#ifndef N
#define N 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef GRACE
#define GRACE 0
#endif
#ifndef FREEZE
#define FREEZE 0
#endif
#ifndef RMLOCK
#define RMLOCK 0
#endif
#ifndef OWNERS                          /* Owner processes; 1 is enough unless two can run code at once */
#ifdef M_LATE_UNLINK
#define OWNERS 2
#else
#define OWNERS (1+RMLOCK)
#endif
#endif
#define MAXE (2+CRASHES+GRACE+RMLOCK)
#define FORALL(i,stmt) i=1; do :: i<=N -> stmt; i++ :: else -> i=0; break od

mtype = { NONE, ACC, DONE, INDET, RES, IND, RUN, LOST, READY, EOF_, NO, PEND, ACK, GONE };

byte olock[RMLOCK+1];                  /* per lock-file inode: 0 free, else owner process */
byte ino;                              /* inode at the path owner.lock now */
byte slock, man, epoch, zomb;          /* zomb: epoch of a dead owner whose sockets are not closed yet */
bool listen_[MAXE+2];
mtype req[N+1]=NONE, reply[N+1]=NONE, conn[N+1]=NO, pip[N+1]=NO;
byte cep[N+1], execs[N+1];
bool msg[N+1], pend[N+1], akill[N+1], afrz[N+1], ckill[OWNERS];
byte nrun, ndone, crashes=CRASHES, grace=GRACE, freeze=FREEZE, rmlock=RMLOCK;

#define ATTACHABLE (man!=0 && listen_[man])
#define MINE(i) (conn[i]==ACK && cep[i]==e)
#ifdef M_NO_FENCE
#define FENCED false
#else
#define FENCED (epoch!=e)
#endif
inline close_sockets(ee) {             /* close(listener): backlog reset; sessions see EOF */
  listen_[ee]=0;
  FORALL(i, if :: cep[i]==ee && (conn[i]==PEND||conn[i]==ACK) -> conn[i]=GONE; msg[i]=0 :: else fi)
}
inline pipe_eof(sp) { if :: sp!=0 && pip[sp]==RUN -> pip[sp]=EOF_ :: else fi }

proctype Owner(byte me) {              /* a candidate from the moment its flock() succeeds */
  byte sp, e, i, my; bool up;
end_idle:
  do
  :: atomic {
       /* 1. candidate: open(owner.lock); flock(LOCK_EX|LOCK_NB) == 0 */
       olock[ino]==0 && (pend[1]||pend[2]
#if N>2
                                        ||pend[3]
#endif
                                                 ) ->
       if :: pend[1] -> sp=1 :: pend[2] -> sp=2
#if N>2
          :: pend[3] -> sp=3
#endif
       fi; pend[sp]=0; my=ino; olock[my]=me+1
     };
     {
       if :: ino!=my -> goto out_ :: else fi;     /* fstat(fd)!=stat(path): the path was replaced; start over */
       /* 2. owner: bump the epoch (one transaction on the database) */
       atomic { nrun++; up=1;
#if RMLOCK==0
                assert(nrun==1);                  /* I1: never two owners past this point */
#endif
                epoch++; e=epoch; assert(e<MAXE+2) };
       man=0;                                     /* 3. drop the predecessor's manifest (only the owner may) */
#ifndef M_NO_RECOVERY
       atomic { FORALL(i, if :: req[i]==ACC -> req[i]=INDET :: else fi) };   /* 4. unknown outcomes */
#endif
       listen_[e]=1;                              /* 5. bind+listen, name unique to this epoch */
       man=e;                                     /* 6. publish: tmp, rename */
       atomic { if :: pip[sp]==RUN -> pip[sp]=READY :: else fi; sp=0 };      /* 7. readiness byte */
end_serve:
       do
       :: atomic { conn[1]==PEND && cep[1]==e -> conn[1]=ACK }               /* hello -> proof of (epoch, instance) */
       :: atomic { conn[2]==PEND && cep[2]==e -> conn[2]=ACK }
       :: atomic { msg[1] && MINE(1) -> msg[1]=0; i=1 } -> goto work
       :: atomic { msg[2] && MINE(2) -> msg[2]=0; i=2 } -> goto work
#if N>2
       :: atomic { conn[3]==PEND && cep[3]==e -> conn[3]=ACK }
       :: atomic { msg[3] && MINE(3) -> msg[3]=0; i=3 } -> goto work
#endif
#if GRACE>0
       :: atomic { grace>0 -> grace-- } -> goto drain
#endif
#if RMLOCK>0
       :: ino!=my -> goto deposed                 /* watchdog: fstat(lockfd)!=stat(path) */
       :: man!=e && ino==my -> man=e              /* watchdog: re-publish if the manifest is not ours */
#endif
       od;
work:
#if RMLOCK==0
       assert(man==e);                            /* I5: a serving owner can always be found */
#endif
       if
#ifdef M_NO_KEYS
       :: true -> atomic { execs[i]++; assert(execs[i]<=1) };
            atomic { if :: MINE(i) -> reply[i]=RES :: else fi; i=0 }
#else
       :: req[i]==NONE ->
#ifdef M_LATE_ACC
            atomic { execs[i]++; assert(execs[i]<=1) };
            req[i]=ACC;
#else
            atomic { if :: FENCED -> goto deposed :: else -> assert(e==epoch); req[i]=ACC fi };  /* intent, durable */
            atomic { execs[i]++; assert(execs[i]<=1) };                                          /* I3 */
#endif
            atomic { if :: FENCED -> goto deposed :: else -> assert(e==epoch); req[i]=DONE fi }; /* result, durable */
            atomic { if :: MINE(i) -> reply[i]=RES :: else fi; i=0 }
       :: req[i]==DONE  -> atomic { if :: MINE(i) -> reply[i]=RES :: else fi; i=0 }
       :: req[i]==INDET -> atomic { if :: MINE(i) -> reply[i]=IND :: else fi; i=0 }
#endif
       fi;
       goto end_serve;
#if GRACE>0
drain: /* idle shutdown or upgrade: from here no new hello and no new call is taken */
#ifdef M_LATE_UNLINK
       atomic { close_sockets(e) };
       atomic { nrun--; up=0; olock[my]=0 };
       if :: man==e -> man=0 :: else fi;          /* compare ... unlink, after the lock is gone */
       goto out_;
#else
       if :: ino==my -> man=0 :: else fi;         /* unlink while still the owner */
       if :: (conn[1]==PEND && cep[1]==e) || (conn[2]==PEND && cep[2]==e) -> man=e; goto end_serve  /* someone got in: abort */
          :: true
       fi;
       atomic { close_sockets(e) };
       goto out_;
#endif
#endif
deposed:
#if RMLOCK==0
       assert(false);                             /* fencing is never needed while locks work */
#endif
       skip;
out_:  skip
     } unless { ckill[me] };
     /* exit or SIGKILL: the kernel closes the fds in some order */
     atomic { if :: up -> nrun--; up=0 :: else fi; pipe_eof(sp); i=0;
              if :: listen_[e] && zomb==0 -> zomb=e      /* lock first; the sockets linger, see Chaos */
                 :: listen_[e] -> close_sockets(e)       /* sockets first */
                 :: else
              fi };
#ifdef M_FD_LEAK
     if :: ckill[me] -> end_leak: false :: else fi;      /* a grandchild inherited the lock fd */
#endif
     atomic { if :: olock[my]==me+1 -> olock[my]=0 :: else fi; ckill[me]=0; sp=0; e=0; i=0; my=0 }
  od
}

proctype Adapter(byte me) {
  byte e, i; bool hs;
  {
attach:
    do
    :: atomic { conn[me]=NO; cep[me]=0; msg[me]=0; e=man };  /* read the manifest */
       if
       :: e!=0 ->
            atomic { if :: listen_[e] -> conn[me]=PEND; cep[me]=e :: else fi };   /* connect() */
#ifdef M_NO_HELLO
            if :: conn[me]!=NO -> goto attached :: else fi;
#endif
            if :: conn[me]==ACK -> goto attached
               :: conn[me]==GONE -> skip                     /* reset before the hello: nothing was sent */
               :: conn[me]==NO ->
#ifdef M_CLIENT_UNLINK
                    if :: man==e -> man=0 :: else fi         /* "clean up" the stale manifest: compare; unlink */
#else
                    skip
#endif
            fi
       :: else -> skip
       fi;
       /* damp the herd */
       if
       :: atomic { slock==0 -> slock=me; hs=1 }
       :: slock!=0 ->
            if :: ATTACHABLE -> goto attach                  /* inotify: the winner published */
               :: slock==0 -> goto attach
#ifndef M_STRICT_S
               :: true                                       /* patience over: go without the hint */
#endif
            fi
       fi;
       atomic { if :: ATTACHABLE -> pip[me]=NO               /* re-check, then fork+exec a candidate */
                   :: else -> pend[me]=1; pip[me]=RUN fi };
       if :: pip[me]!=RUN
          :: atomic { pip[me]==RUN && pend[me] && olock[ino]!=0 -> pend[me]=0; pip[me]=LOST }  /* its flock(): EWOULDBLOCK */
#ifdef LEAVE
          :: atomic { pip[me]==RUN -> pip[me]=NO }           /* another one published, or it says nothing: listen no more */
#endif
       fi;
       atomic { if :: hs -> slock=0 :: else fi; hs=0 };
       if :: pip[me]==LOST -> (ATTACHABLE || olock[ino]==0)  /* inotify on the manifest + slow re-probe */
          :: else -> skip
       fi
    od;
attached:
    if
    :: reply[me]==NONE ->
       msg[me]=(conn[me]!=GONE);                             /* send tools/call, key=me */
       if
       :: reply[me]!=NONE
       :: reply[me]==NONE && conn[me]==GONE -> goto attach   /* re-attach, re-send under the same key */
       fi
    :: else -> skip
    fi;
    assert(reply[me]!=RES || execs[me]==1)                   /* I4: success means executed exactly once */
  } unless { akill[me] || afrz[me] };
  ndone++;
  if
  :: akill[me] -> atomic { if :: hs -> slock=0 :: else fi; conn[me]=NO; cep[me]=0; msg[me]=0; pip[me]=NO; e=0; hs=0 }
  :: else -> skip                     /* SIGSTOPped (keeps all it holds), or done */
  fi
}

proctype Chaos() {
  byte i;
end_c:
  do
#if CRASHES>0
  :: atomic { crashes>0 -> crashes--;
        if :: akill[1]=1 :: akill[2]=1
#if N>2
           :: akill[3]=1
#endif
           :: olock[0]!=0 -> ckill[olock[0]-1]=1
           :: pend[1] -> pend[1]=0; if :: pip[1]==RUN -> pip[1]=EOF_ :: else fi      /* a candidate dies before its flock() */
           :: pend[2] -> pend[2]=0; if :: pip[2]==RUN -> pip[2]=EOF_ :: else fi
        fi }
#endif
#if FREEZE>0
  :: atomic { freeze>0 -> freeze--; if :: afrz[1]=1 :: afrz[2]=1 fi }
#endif
#if RMLOCK>0
  :: atomic { rmlock>0 -> rmlock--; ino++ }
#endif
  :: atomic { zomb!=0 -> close_sockets(zomb); zomb=0 }
  /* a candidate to which nobody listens any more loses */
  :: atomic { (pend[1] && olock[ino]!=0 && (akill[1]||afrz[1]||pip[1]!=RUN)) -> pend[1]=0 }
  :: atomic { (pend[2] && olock[ino]!=0 && (akill[2]||afrz[2]||pip[2]!=RUN)) -> pend[2]=0 }
#if N>2
  :: atomic { (pend[3] && olock[ino]!=0 && (akill[3]||pip[3]!=RUN)) -> pend[3]=0 }
#endif
  od
}

init {
  atomic {
    byte k=0; do :: k<OWNERS -> run Owner(k); k++ :: else -> break od; k=1; do :: k<=N -> run Adapter(k); k++ :: else -> break od;
    run Chaos()
  }
}

#ifdef LTL
ltl live { <> (ndone==N) }             /* weak fairness: pan -a -f */
#endif
