-- 话单表，列名同 Asterisk 的 cel_pgsql。 The table of Asterisk's cel_pgsql, by its own names.
--
--   createdb --encoding LATIN1 --locale C --template template0 asterisk_cel
--   psql -d asterisk_cel -f cel.sql
--
-- 编码用 LATIN1：来电名里什么字节都可能有，UTF8 库会拒收那一行，通话就少一条。
-- LATIN1 on purpose: a caller's name may hold any byte; a UTF8 database would refuse the row, and
-- the call would be lost. The gateway reads the bytes as UTF-8. text, for the same reason: a
-- varchar that is too short refuses the row as well.
--
-- 网关只读：GRANT SELECT ON cel TO hotline。 The gateway only reads.
CREATE TABLE cel (
    id bigserial PRIMARY KEY,
    eventtype text NOT NULL,
    eventtime timestamp NOT NULL,
    userdeftype text NOT NULL DEFAULT '',
    cid_name text NOT NULL DEFAULT '',
    cid_num text NOT NULL DEFAULT '',
    cid_ani text NOT NULL DEFAULT '',
    cid_rdnis text NOT NULL DEFAULT '',
    cid_dnid text NOT NULL DEFAULT '',
    exten text NOT NULL DEFAULT '',
    context text NOT NULL DEFAULT '',
    channame text NOT NULL DEFAULT '',
    appname text NOT NULL DEFAULT '',
    appdata text NOT NULL DEFAULT '',
    accountcode text NOT NULL DEFAULT '',
    peeraccount text NOT NULL DEFAULT '',
    uniqueid text NOT NULL DEFAULT '',
    linkedid text NOT NULL DEFAULT '',
    amaflags integer NOT NULL DEFAULT 0,
    userfield text NOT NULL DEFAULT '',
    peer text NOT NULL DEFAULT '',
    extra text NOT NULL DEFAULT ''
);
