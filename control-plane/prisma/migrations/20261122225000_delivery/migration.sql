-- Three columns, none rewrites its table: two without a default, one with a constant. The last statement reads the usage events of each session once.
SET lock_timeout = '5s';

-- AlterTable
ALTER TABLE "approval" ADD COLUMN     "about" TEXT;

-- AlterTable
ALTER TABLE "idempotency_key" ADD COLUMN     "created_id" UUID;

-- AlterTable
ALTER TABLE "session" ADD COLUMN     "usage_seq" BIGINT NOT NULL DEFAULT 0;

-- What is in the sums already is not counted again.
UPDATE "session" s SET "usage_seq" = u.last
  FROM (SELECT "session_id", max("seq") AS last FROM "session_event" WHERE "kind" = 'usage' GROUP BY "session_id") u
 WHERE s."id" = u."session_id";
