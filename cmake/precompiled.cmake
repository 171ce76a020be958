# What nearly every source includes is parsed once for all libraries and programs, and once, with gtest, for all tests:
#
#   target_precompile_headers(TARGET REUSE_FROM andromede_precompiled)
set(headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <coroutine> <cstdint> <cstring> <deque>
            <functional> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view> <thread>
            <unordered_map> <utility> <variant> <vector> <tl/expected.hpp>)
foreach(header bytes check clock deadline ids random result stream task)
  list(APPEND headers ${PROJECT_SOURCE_DIR}/src/base/${header}.h)
endforeach()

function(andromede_precompiled target)
  add_library(${target} OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cc)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  # Flags must be those of the users.
  target_link_libraries(${target} PRIVATE Threads::Threads OpenSSL::Crypto prometheus-cpp::core)
  target_compile_options(${target} PRIVATE -fpch-instantiate-templates)
  target_precompile_headers(${target} PRIVATE ${ARGN})
endfunction()

andromede_precompiled(andromede_precompiled ${headers})
if(BUILD_TESTING)
  andromede_precompiled(andromede_precompiled_test ${headers} <gtest/gtest.h> <gmock/gmock.h>)
  target_link_libraries(andromede_precompiled_test PRIVATE GTest::gtest GTest::gmock)
  target_compile_options(andromede_precompiled_test PRIVATE -O0)
endif()
