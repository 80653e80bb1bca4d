"""The parts of the benchmarks of transcoding: the music, the meter, the yardsticks, and a worker to be measured."""
