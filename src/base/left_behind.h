// Threads that a call in the kernel keeps, and that whoever began them waits for no longer: a drive, or a reader of the
// log, that hangs. What they use they own. Until one has ended, no static object may go: it may use them yet.
//
// Any thread.
#pragma once

#include <cstddef>
#include <thread>

namespace andromede {

// In the place of detach().
void leave_behind(std::thread thread);
// How many have not ended. While there is one, the process ends by _exit().
[[nodiscard]] std::size_t left_behind();

}  // namespace andromede
