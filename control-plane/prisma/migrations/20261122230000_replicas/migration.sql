-- Small tables of their own, and a column without a default: only the catalogue is touched, whatever the tables' size.
SET lock_timeout = '5s';

-- AlterTable
ALTER TABLE "runner" ADD COLUMN     "replica_id" UUID;

-- CreateTable
CREATE TABLE "replica" (
    "id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "roles" TEXT[],
    "secret" TEXT NOT NULL,
    "facts" JSON,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "heartbeat_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "replica_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session_command" (
    "id" UUID NOT NULL,
    "session_id" UUID NOT NULL,
    "kind" TEXT,
    "turn_id" UUID,
    "payload" JSON,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "after_seq" BIGINT NOT NULL,

    CONSTRAINT "session_command_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_failure" (
    "address" TEXT NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "sign_in_failure_pkey" PRIMARY KEY ("address")
);

-- CreateIndex
CREATE INDEX "session_command_session_id_id_idx" ON "session_command"("session_id", "id");
