-- A file has one writer, which needs no functions: those of PostgreSQL save round trips.
select 1;
