// Starts the threads that RocksDB needs, where a refusal can be caught.
//
// RocksDB starts threads with std::thread, whose constructor throws where the system refuses one.
// Its C interface lets the exception through, and what crosses into Rust ends the process. So the
// threads are started here, before the first database is opened, and stay until the process ends:
// the two pools of the default environment, and the timer on which every open database registers
// a task. From then on RocksDB finds them and starts none, at no opening and no reopening.

#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>

#include "db/periodic_task_scheduler.h"
#include "rocksdb/env.h"

namespace {

using ROCKSDB_NAMESPACE::Env;
using ROCKSDB_NAMESPACE::PeriodicTaskScheduler;
using ROCKSDB_NAMESPACE::PeriodicTaskType;

constexpr uint64_t kYear = 365 * 24 * 3600;

// A write beyond the allowed size of a file is to be an error there, not the end of the process.
void BlockFileSizeSignal(void*) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void StartPool(Env::Priority pool) {
  Env* env = Env::Default();
  env->IncBackgroundThreadsIfNeeded(1, pool);
  // A pool whose thread was refused does not forget that it should have one, and starts it with
  // its next job.
  env->Schedule(&BlockFileSizeSignal, nullptr, pool);
}

// RocksDB names the threads of its pools only.
void NameTimer() { pthread_setname_np(pthread_self(), "rocksdb:timer"); }

// The timer ends its thread when no database is open, unless something else is registered.
bool StartTimer() {
  static auto* const tasks = new PeriodicTaskScheduler();
  try {
    return tasks->Register(PeriodicTaskType::kTriggerCompaction, NameTimer, kYear, true).ok();
  } catch (...) {
    // It believes now that it runs. It is stopped, so that the next attempt starts its thread.
    try {
      tasks->Unregister(PeriodicTaskType::kTriggerCompaction).PermitUncheckedError();
    } catch (...) {
    }
    throw;
  }
}

}  // namespace

// Answers 0, or the number of the system's error.
extern "C" int keyward_start_rocksdb_threads() noexcept {
  try {
    StartPool(Env::Priority::LOW);
    StartPool(Env::Priority::HIGH);
    return StartTimer() ? 0 : EAGAIN;
  } catch (const std::system_error& refused) {
    return refused.code().value();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  } catch (...) {
    return EAGAIN;
  }
}
