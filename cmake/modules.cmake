# One static library per folder under src/. DEPS is the whole list of what the folder may include
# (tools/check_layers.py fails on an include that is not declared here).
#
#   andromede_module(meta SOURCES store.cc DEPS base EXTERNAL RocksDB::rocksdb TESTS store_test.cc)
#
# Arguments: the folder relative to src/ (meta/rocksdb becomes target andromede_meta_rocksdb); SOURCES; DEPS other
# modules, by folder; EXTERNAL third-party targets; TESTS unit tests, built into one binary per module and registered
# with CTest under the label `unit`; TEST_DEPS modules that only the tests include; SINGLE_THREADED: its code takes no
# lock and starts no thread, so the preset `tsan` leaves its tests out (tools/check_layers.py checks it).
function(andromede_module folder)
  cmake_parse_arguments(M "SINGLE_THREADED" "" "SOURCES;DEPS;EXTERNAL;TESTS;TEST_DEPS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(target andromede_${name})
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    set(scope PUBLIC)
    target_precompile_headers(${target} REUSE_FROM andromede_precompiled)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/src)
  foreach(dep ${M_DEPS})
    string(REPLACE "/" "_" dep ${dep})
    target_link_libraries(${target} ${scope} andromede_${dep})
  endforeach()
  target_link_libraries(${target} ${scope} ${M_EXTERNAL})
  if(M_SINGLE_THREADED AND ANDROMEDE_SANITIZE STREQUAL "thread")
    return()
  endif()
  if(M_TESTS AND BUILD_TESTING)
    andromede_test(${target}_test "${folder}/" ${M_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target})
    foreach(dep ${M_TEST_DEPS})
      string(REPLACE "/" "_" dep ${dep})
      target_link_libraries(${target}_test PRIVATE andromede_${dep})
    endforeach()
  endif()
endfunction()

# A binary of unit tests, whose names CTest shows behind `prefix`.
add_custom_target(unit_tests)
function(andromede_test target prefix)
  add_executable(${target} ${ARGN})
  # Most of the time that a test takes to build goes into reading headers.
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  # What a test itself does need not be fast: unoptimised, it builds in less than half of the time.
  target_compile_options(${target} PRIVATE -O0)
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)
  target_precompile_headers(${target} REUSE_FROM andromede_precompiled_test)
  gtest_discover_tests(${target} TEST_PREFIX ${prefix} PROPERTIES LABELS unit TIMEOUT 600 DISCOVERY_TIMEOUT 600)
  add_dependencies(unit_tests ${target})
endfunction()

# Lets a test see, and fail, the system calls by which its own code changes files: src/io/disk_calls.h.
function(andromede_watch_disk_calls target)
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/io/disk_calls.cc)
  foreach(call open openat write pwrite pwritev ftruncate fallocate fsync fdatasync rename renameat renameat2
               unlink unlinkat mkdirat)
    target_link_options(${target} PRIVATE -Wl,--wrap=${call})
  endforeach()
endfunction()

# Lets a test find secrets in the memory that its code gives back: src/crypto/freed_memory.h.
function(andromede_watch_freed_memory target)
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/crypto/freed_memory.cc)
endfunction()

# A libFuzzer target fuzz/NAME.cc with its seed corpus fuzz/corpus/NAME; built by the presets `fuzz` and `dev` only.
function(andromede_fuzzer name)
  cmake_parse_arguments(F "" "" "DEPS" ${ARGN})
  if(NOT ANDROMEDE_FUZZ)
    return()
  endif()
  add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/fuzz/${name}.cc)
  target_precompile_headers(fuzz_${name} REUSE_FROM andromede_precompiled)
  foreach(dep ${F_DEPS})
    string(REPLACE "/" "_" dep ${dep})
    target_link_libraries(fuzz_${name} PRIVATE andromede_${dep})
  endforeach()
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers fuzz_${name})
endfunction()
